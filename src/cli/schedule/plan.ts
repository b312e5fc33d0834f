import type { ListedScheduleJson } from '../../client/schedules.ts'
import type { Colors } from '../terminal.ts'
import { changeText, type MemberChange, memberChanges } from '../text/members.ts'
import { jobText, whenText } from '../text/words.ts'
import type { ScheduleFile, WantedSchedule } from './schedule-file.ts'

/** What an apply does, or would do, with one schedule. */
export type PlannedStep = { readonly system: string; readonly name: string } & (
  | { readonly kind: 'added'; readonly wanted: WantedSchedule }
  | { readonly kind: 'changed'; readonly wanted: WantedSchedule; readonly members: readonly MemberChange[] }
  | { readonly kind: 'removed' }
  /** On the server, not in the file, and not to be removed. */
  | { readonly kind: 'kept' }
)

/**
 * The steps that make the file true: those of the file in its order, then what else there is in its systems. What is as
 * the file wants it is left out.
 *
 * @param current what the file's systems have
 */
export function planOf(
  { schedules }: ScheduleFile,
  current: readonly ListedScheduleJson[],
  { prune }: { readonly prune: boolean },
): readonly PlannedStep[] {
  const found = new Map(current.map((schedule) => [titleOf(schedule), schedule]))
  const steps = schedules.flatMap((wanted): PlannedStep[] => {
    const { system, name, full } = wanted
    const before = found.get(titleOf(wanted))
    if (!before) return [{ kind: 'added', system, name, wanted }]
    const members = memberChanges(before, full)
    return members.length === 0 ? [] : [{ kind: 'changed', system, name, wanted, members }]
  })
  const inFile = new Set(schedules.map(titleOf))
  const others = current.filter((schedule) => !inFile.has(titleOf(schedule)))
  const kind = prune ? 'removed' : 'kept'
  return [...steps, ...others.map(({ system, name }) => ({ kind, system, name }) as const)]
}

const MAX_JOB = 60

/** The step, and below it the members that change. */
export function stepText(step: PlannedStep, { green, yellow, red, dim }: Colors): string {
  const title = titleOf(step)
  switch (step.kind) {
    case 'added': {
      const { full } = step.wanted
      return green(`+ ${title}: ${whenText(full)}, ${jobText(full, MAX_JOB)}`)
    }
    case 'changed':
      return [`~ ${title}`, ...step.members.map((change) => `    ${changeText(change)}`)]
        .map(yellow)
        .join('\n')
    case 'removed':
      return red(`- ${title}`)
    case 'kept':
      return dim(`  ${title}: kept, not in the file`)
  }
}

export function titleOf({ system, name }: { readonly system: string; readonly name: string }): string {
  return `${system}/${name}`
}
