import { readFileSync } from 'node:fs'
import { escapePart, unescapePart } from '../core/round.ts'
import { type Schedule, type ScheduleId, scheduleKey } from '../core/schedule.ts'
import type {
  ListedSchedule,
  SchedulePage,
  ScheduleSighting,
  ScheduleStore,
  Wake,
} from '../core/schedule-ports.ts'
import { GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import { redisTrouble } from '../redis/trouble.ts'
import { scheduleOf, textOf } from './schedule-text.ts'

const STEPS = ['read', 'save', 'remove', 'list', 'late', 'wakes'] as const
type StepName = (typeof STEPS)[number]
type Argument = string | number
type Step = (...keysAndArguments: Argument[]) => Promise<unknown>

const NAMES_KEY = 'gone:{schedules}:names'
const WAKES_KEY = 'gone:{schedules}:wakes'
const PREFIX = 'gone:{schedules}:of:'

/** Of a hash `r`, `s` and `t`; null where there is no such schedule. */
type Fields = readonly [string | null, string | null, string | null]

/** Schedules in Redis: one Lua script a step, all keys in one Cluster slot. Nothing here expires. */
export class RedisSchedules implements ScheduleStore {
  private readonly steps: Readonly<Record<StepName, Step>>

  constructor(private readonly redis: RedisClient) {
    this.steps = defineSteps(redis)
  }

  async read(id: ScheduleId): Promise<ScheduleSighting> {
    const [nowMs, fields] = (await this.step('read', `read schedule ${scheduleKey(id)}`, memberOf(id))) as [
      number,
      Fields,
    ]
    const [revision, spec, state] = fields
    if (revision === null || spec === null || state === null) return { nowMs, revision: 0 }
    return { nowMs, revision: Number(revision), schedule: scheduleOf(id, { spec, state }) }
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
    const [nowMs, found] = reply as [number, [string, Fields][]]
    const schedules = found.slice(0, limit).flatMap(listed)
    const last = found.length > limit ? found[limit - 1] : undefined
    return { schedules, nowMs, ...(last && { next: idOf(last[0]) }) }
  }

  async count(): Promise<number> {
    try {
      return await this.redis.zcard(NAMES_KEY)
    } catch (cause) {
      throw unavailable('count the schedules', cause)
    }
  }

  async late(lateMs: number, limit: number) {
    return wakesOf(await this.step('late', 'look for late schedules', lateMs, limit))
  }

  async wakes(offset: number, limit: number) {
    return wakesOf(await this.step('wakes', 'look through the schedules', offset, limit))
  }

  private async step(name: StepName, what: string, ...own: Argument[]): Promise<unknown> {
    try {
      return await this.steps[name](NAMES_KEY, WAKES_KEY, PREFIX, ...own)
    } catch (cause) {
      throw unavailable(what, cause)
    }
  }
}

function unavailable(what: string, cause: unknown): GoneError {
  return new GoneError('STORE_UNAVAILABLE', `cannot ${what}: ${redisTrouble(cause)}; safe to retry`, {
    cause,
  })
}

function defineSteps(redis: RedisClient): Readonly<Record<StepName, Step>> {
  const lua = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8')
  const prelude = lua('schedule')
  for (const name of STEPS) {
    redis.defineCommand(`gone_schedule_${name}`, { numberOfKeys: 2, lua: prelude + lua(name) })
  }
  // defineCommand adds methods that the client's type cannot know.
  const defined = redis as unknown as Record<string, Step>
  return Object.fromEntries(
    STEPS.map((name) => [
      name,
      (...all: Argument[]) => (defined[`gone_schedule_${name}`] as Step).apply(redis, all),
    ]),
  ) as Record<StepName, Step>
}

function memberOf({ system, name }: ScheduleId): string {
  return `${escapePart(system)} ${escapePart(name)}`
}

function idOf(member: string): ScheduleId {
  const [system = '', name = ''] = member.split(' ')
  return { system: unescapePart(system), name: unescapePart(name) }
}

function listed([member, [, spec, state]]: [string, Fields]): ListedSchedule[] {
  if (spec === null || state === null) return []
  const id = idOf(member)
  return [{ id, schedule: scheduleOf(id, { spec, state }) }]
}

function wakesOf(reply: unknown): { wakes: Wake[]; nowMs: number } {
  const [nowMs, found] = reply as [number, string[]]
  const wakes: Wake[] = []
  for (let index = 0; index < found.length; index += 2)
    wakes.push({ id: idOf(found[index] as string), atMs: Number(found[index + 1]) })
  return { wakes, nowMs }
}
