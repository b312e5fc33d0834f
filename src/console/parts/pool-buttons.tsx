import type { PoolJson, PoolSupervisorJson } from '../../core/fleet/pool-wire.ts'
import { pathOf } from '../lib/ask.ts'
import { h, type VNode } from '../lib/preact.js'
import { type Agreed, question } from './dialog.tsx'
import { poolPath, quoted } from './name.tsx'
import { hostsOf } from './pool-rows.tsx'

interface PoolButtonsProps {
  readonly pool: PoolJson
  readonly supervisors: readonly PoolSupervisorJson[]
}

/** What can be asked of a pool, by whom it is permitted. While a deploy is on its way it can be called off, and nothing else. */
export function PoolButtons({ pool, supervisors }: PoolButtonsProps): VNode | null {
  const state = pool.rollout?.state
  if (state === 'rolling-back') return null
  if (state === 'rolling')
    return (
      <button type="button" class="bad" onClick={() => question(callingOff(pool))}>
        Call off
      </button>
    )
  return (
    <span class="row end">
      <button type="button" class="main" onClick={() => question(deploying(pool, supervisors))}>
        Deploy
      </button>
      <button type="button" onClick={() => question(scaling(pool))}>
        Scale
      </button>
      {pool.before.length > 0 && (
        <button type="button" class="bad" onClick={() => question(rollingBack(pool))}>
          Roll back
        </button>
      )}
    </span>
  )
}

function apiPath(
  { name }: PoolJson,
  verb: 'deploy' | 'rollback' | 'scale',
  query: Record<string, string | undefined> = {},
) {
  return pathOf(`fleet/pools/${encodeURIComponent(name)}/${verb}`, query)
}

function deploying(pool: PoolJson, supervisors: readonly PoolSupervisorJson[]) {
  const { name } = pool
  return {
    title: `Deploy to ${name}`,
    what: `${whereOf(pool)} get it, one after the other: an instance of it begins beside the old one, which ends once the new one has lived for 10 s, and its own jobs have ended. The first that does not come up rolls all of it back.`,
    verb: 'Deploy',
    asks: { label: 'Release', likely: releasesFor(pool, supervisors) },
    needs: 'reason' as const,
    command: (said: string) =>
      `gone fleet deploy ${quoted(name)} --release ${said ? quoted(said) : '…'} --reason '…'`,
    request: ({ reason, said }: Agreed) =>
      [apiPath(pool, 'deploy'), { method: 'POST' as const, body: { release: said, reason } }] as const,
    done: (_: unknown, { said }: Agreed) => ({ text: `deploying ${said} to ${name}`, href: poolPath(name) }),
  }
}

function scaling(pool: PoolJson) {
  const { name, instances: count } = pool
  return {
    title: `Scale ${name}`,
    what: `It has ${count} instances. Those that are more begin where there is room; those that are too many end, once their jobs have.`,
    verb: 'Scale',
    asks: { label: 'Instances', likely: [String(count + 1), String(Math.max(0, count - 1))] },
    needs: 'reason' as const,
    command: (said: string) => `gone fleet scale ${quoted(name)} ${said ? quoted(said) : '…'} --reason '…'`,
    request: ({ reason, said }: Agreed) =>
      [
        apiPath(pool, 'scale'),
        { method: 'POST' as const, body: { instances: Number(said), count, reason } },
      ] as const,
    done: (_: unknown, { said }: Agreed) => ({
      text: `${name} shall have ${said} instances`,
      href: poolPath(name),
    }),
  }
}

/** Of the release that is shown: whoever is late, or second, changes nothing. */
function rollingBack(pool: PoolJson) {
  const { name, before, release: from } = pool
  return {
    title: `Roll back ${name}`,
    what: `${whereOf(pool)} get ${before[0]} back, one after the other. Each new instance takes jobs before the old one ends.`,
    verb: `Roll back to ${before[0]}`,
    needs: 'reason' as const,
    isBad: true as const,
    command: `gone fleet rollback ${quoted(name)}${from === undefined ? '' : ` --from ${quoted(from)}`} --reason '…'`,
    request: ({ reason }: Agreed) =>
      [apiPath(pool, 'rollback', { reason, from }), { method: 'POST' as const }] as const,
    done: () => ({ text: `rolling ${name} back to ${before[0]}`, href: poolPath(name) }),
  }
}

function callingOff(pool: PoolJson) {
  const { name, rollout } = pool
  return {
    ...rollingBack(pool),
    title: `Call off the deploy to ${name}`,
    what: `Places that have ${rollout?.to ?? 'the new one'} already get ${rollout?.from ?? 'their folder'} back; the others keep it.`,
    verb: 'Call it off',
    done: () => ({ text: `called off the deploy to ${name}`, href: poolPath(name) }),
  }
}

/** @example '6 places on 2 hosts' */
function whereOf(pool: PoolJson): string {
  const [places, hosts] = [pool.places.length, hostsOf(pool).length]
  return `${places} ${places === 1 ? 'place' : 'places'} on ${hosts} ${hosts === 1 ? 'host' : 'hosts'}`
}

/** Those that all hosts with places of it have, and it does not run now: others would be refused. The highest first. */
function releasesFor({ places, release }: PoolJson, supervisors: readonly PoolSupervisorJson[]): string[] {
  const hosts = new Set(places.map(({ host }) => host))
  const has = supervisors.filter(({ host, isLost }) => hosts.has(host) && !isLost)
  const [first, ...others] = has.map(({ releases = [] }) => releases)
  return (first ?? [])
    .filter((one) => one !== release && others.every((releases) => releases.includes(one)))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
}
