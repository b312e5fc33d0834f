import type { PoolJson, PoolSpecJson } from '../../core/fleet/pool-wire.ts'
import type { Colors } from '../terminal.ts'
import type { WantedPool } from './fleet-file.ts'

/** What an apply does, or would do, with one pool. What is as the file wants it is no step. */
export type PoolStep = { readonly name: string } & (
  | { readonly kind: 'added'; readonly spec: PoolSpecJson }
  | { readonly kind: 'changed'; readonly spec: PoolSpecJson; readonly members: readonly MemberChange[] }
  | { readonly kind: 'removed' }
  /** On the server, not in the file, and not to be removed. */
  | { readonly kind: 'kept' }
)

interface MemberChange {
  readonly member: keyof PoolSpecJson
  readonly from: string
  readonly to: string
}

const MEMBERS = ['instances', 'workers', 'region', 'host', 'release'] as const

/** The steps that make the file true: those of the file in its order, then what else there is. */
export function poolPlan(
  wanted: readonly WantedPool[],
  current: readonly PoolJson[],
  { prune }: { readonly prune: boolean },
): readonly PoolStep[] {
  const steps = wanted.flatMap(({ name, spec }): PoolStep[] => {
    const before = current.find((pool) => pool.name === name)
    if (!before) return [{ kind: 'added', name, spec }]
    const members = changesOf(before, spec)
    return members.length === 0 ? [] : [{ kind: 'changed', name, spec, members }]
  })
  const others = current.filter(({ name }) => !wanted.some((one) => one.name === name))
  return [...steps, ...others.map(({ name }) => ({ kind: prune ? 'removed' : 'kept', name }) as const)]
}

function changesOf(before: PoolSpecJson, after: PoolSpecJson): readonly MemberChange[] {
  return MEMBERS.flatMap((member) => {
    const [from, to] = [valueText(before[member]), valueText(after[member])]
    return from === to ? [] : [{ member, from, to }]
  })
}

function valueText(value: PoolSpecJson[keyof PoolSpecJson]): string {
  return value === undefined ? 'not set' : String(value)
}

/** The step, and below it the members that change. */
export function poolStepText(step: PoolStep, { green, yellow, red, dim }: Colors): string {
  switch (step.kind) {
    case 'added':
      return green(`+ ${step.name}: ${specText(step.spec)}`)
    case 'changed':
      return [
        `~ ${step.name}`,
        ...step.members.map(({ member, from, to }) => `    ${member}: ${from} -> ${to}`),
      ]
        .map(yellow)
        .join('\n')
    case 'removed':
      return red(`- ${step.name}`)
    case 'kept':
      return dim(`  ${step.name}: kept, not in the file`)
  }
}

function specText(spec: PoolSpecJson): string {
  return MEMBERS.flatMap((member) =>
    spec[member] === undefined ? [] : [`${member} ${valueText(spec[member])}`],
  ).join(', ')
}
