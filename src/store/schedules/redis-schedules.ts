import { escapePart, unescapePart } from '../../core/rounds/round.ts'
import { type Schedule, type ScheduleId, scheduleKey } from '../../core/schedules/schedule.ts'
import type {
  ListedSchedule,
  SchedulePage,
  ScheduleSighting,
  ScheduleStore,
  Wake,
} from '../../core/schedules/schedule-ports.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { type Argument, defineSteps, type Steps } from '../../redis/steps.ts'
import { type Want, wantedBy } from '../../redis/wants.ts'
import { type ScheduleText, scheduleOf, textOf } from './schedule-text.ts'

const STEPS = ['read', 'save', 'remove', 'list', 'late', 'wakes'] as const
type StepName = (typeof STEPS)[number]

const NAMES_KEY = 'gone:{schedules}:names'
const WAKES_KEY = 'gone:{schedules}:wakes'

/** A schedule that is to be ticked. */
export const WANTS_OF_SCHEDULES: readonly Want[] = [wantedBy(WAKES_KEY)]
const PREFIX = 'gone:{schedules}:of:'

/** Revision, spec and state, a line each; null where there is no such schedule. */
type Stored = string | null

/** Schedules in Redis: one Lua script a step, all keys in one Cluster slot. Nothing here expires. */
export class RedisSchedules implements ScheduleStore {
  private readonly steps: Steps<StepName>

  constructor(private readonly redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prelude: 'schedule',
      names: STEPS,
      prefix: 'gone_schedule',
      keyCount: 2,
    })
  }

  async read(id: ScheduleId): Promise<ScheduleSighting> {
    const reply = await this.step('read', `read schedule ${scheduleKey(id)}`, memberOf(id))
    const [nowMs, stored] = reply as [number, Stored]
    if (stored === null) return { nowMs, revision: 0 }
    const { revision, text } = parse(stored)
    return { nowMs, revision, schedule: scheduleOf(id, text) }
  }

  async save(
    id: ScheduleId,
    revision: number,
    schedule: Schedule,
    wakeMs: number | undefined,
  ): Promise<number | undefined> {
    const { spec, state } = textOf(id, schedule)
    const what = `store schedule ${scheduleKey(id)}`
    const saved = await this.step('save', what, memberOf(id), revision, spec, state, wakeMs ?? '')
    return saved === null ? undefined : Number(saved)
  }

  async remove(id: ScheduleId): Promise<boolean> {
    return Number(await this.step('remove', `remove schedule ${scheduleKey(id)}`, memberOf(id))) > 0
  }

  async list(query: {
    readonly system?: string
    readonly after?: ScheduleId
    readonly limit: number
  }): Promise<SchedulePage> {
    const { system, after, limit } = query
    const from = after ? `(${memberOf(after)}` : system === undefined ? '-' : `[${escapePart(system)} `
    // "!" is what sorts next to the blank after the system.
    const to = system === undefined ? '+' : `(${escapePart(system)}!`
    const reply = await this.step('list', 'list the schedules', from, to, limit + 1)
    const [nowMs, found] = reply as [number, [string, Stored][]]
    const schedules = found.slice(0, limit).flatMap(listed)
    const last = found.length > limit ? found[limit - 1] : undefined
    return { schedules, nowMs, ...(last && { next: idOf(last[0]) }) }
  }

  async count(): Promise<number> {
    return attempt('count the schedules', () => this.redis.zcard(NAMES_KEY))
  }

  async late(lateMs: number, limit: number) {
    return wakesOf(await this.step('late', 'look for late schedules', lateMs, limit))
  }

  async wakes(offset: number, limit: number) {
    return wakesOf(await this.step('wakes', 'look through the schedules', offset, limit))
  }

  private step(name: StepName, what: string, ...own: Argument[]): Promise<unknown> {
    return attempt(what, () => this.steps[name](NAMES_KEY, WAKES_KEY, PREFIX, ...own))
  }
}

function memberOf({ system, name }: ScheduleId): string {
  return `${escapePart(system)} ${escapePart(name)}`
}

function idOf(member: string): ScheduleId {
  const [system = '', name = ''] = member.split(' ')
  return { system: unescapePart(system), name: unescapePart(name) }
}

function listed([member, stored]: [string, Stored]): ListedSchedule[] {
  if (stored === null) return []
  const id = idOf(member)
  return [{ id, schedule: scheduleOf(id, parse(stored).text) }]
}

function parse(stored: string): { readonly revision: number; readonly text: ScheduleText } {
  const [revision = '', spec = '', state = ''] = stored.split('\n')
  return { revision: Number(revision), text: { spec, state } }
}

function wakesOf(reply: unknown): { wakes: Wake[]; nowMs: number } {
  const [nowMs, found] = reply as [number, string[]]
  const wakes: Wake[] = []
  for (let index = 0; index < found.length; index += 2)
    wakes.push({ id: idOf(found[index] as string), atMs: Number(found[index + 1]) })
  return { wakes, nowMs }
}
