import type {
  BackfillJson,
  NextSlotsJson,
  ScheduleJson,
  ScheduleListJson,
  TriggerJson,
} from '../core/schedules/schedule-wire.ts'
import { ask as askOn, type CallOptions, type Question } from './ask.ts'
import type { AnyWorker, DataOf, WorkerDefinition } from './define-worker.ts'
import { namedOn } from './named.ts'
import { type ScheduleOptions, scheduleBody } from './schedule-body.ts'
import { secondText, type Time } from './time.ts'
import type { TransportOptions } from './transport.ts'

export interface ListSchedulesOptions extends CallOptions {
  /** Only those of this system. */
  readonly system?: string
}

export interface TriggerOptions extends CallOptions {
  /** Calls with the same one are one trigger. Default: one of its own for each call. */
  readonly id?: string
}

export interface BackfillOptions extends CallOptions {
  /** The first and the last slot are due at or between them. */
  readonly from: Time
  readonly to: Time
  /** At most so many slots, up to 1000. Default 100. */
  readonly max?: number
}

export interface NextOptions extends CallOptions {
  /** How many. Default 10. */
  readonly n?: number
}

export interface PutSchedule {
  /** True if there was none of this name. A repetition after a lost answer is not told apart: then false. */
  readonly isNew: boolean
  readonly schedule: ScheduleJson
}

/** A schedule as it is listed: all have been read at about the same moment. */
export type ListedScheduleJson = ScheduleListJson['schedules'][number]

/**
 * What makes rounds come by themselves. Every call is safe to repeat, and is repeated while it cannot be answered. Where
 * nothing else is said, a name without a schedule is GoneError `NO_SUCH_SCHEDULE`.
 */
export interface Schedules {
  /**
   * Makes the schedule, or makes it what is given here: what is left out has its default, not its former value. Who needs
   * the data of its job typed names the worker: `put<typeof worker>`.
   */
  put<Worker extends AnyWorker = WorkerDefinition>(
    system: string,
    name: string,
    schedule: ScheduleOptions<DataOf<Worker>>,
    options?: CallOptions,
  ): Promise<PutSchedule>
  /** Undefined if there is none. */
  get(system: string, name: string, options?: CallOptions): Promise<ScheduleJson | undefined>
  /** All of them, by system and name, from as many pages as there are. */
  list(options?: ListSchedulesOptions): Promise<readonly ListedScheduleJson[]>
  /** False if there was none, as after a repetition whose first answer got lost. Rounds that were submitted stay. */
  remove(system: string, name: string, options?: CallOptions): Promise<boolean>
  /** What falls into a pause is not run, also not later. */
  pause(system: string, name: string, options?: CallOptions): Promise<ScheduleJson>
  resume(system: string, name: string, options?: CallOptions): Promise<ScheduleJson>
  /** Runs the job now, beside its slots. */
  trigger(system: string, name: string, options?: TriggerOptions): Promise<TriggerJson>
  /**
   * Submits slots that have passed, oldest first. Those that were submitted before are not run again as long as their
   * rounds are kept, for `GONE_RETENTION`. Where there are more than `max`, `next` is the `from` to go on with.
   */
  backfill(system: string, name: string, options: BackfillOptions): Promise<BackfillJson>
  /** The slots to come. */
  next(system: string, name: string, options?: NextOptions): Promise<NextSlotsJson>
}

/** The schedules of the server that is reached by `transport`. */
export function schedulesOn(transport: TransportOptions): Schedules {
  const ask = (question: Question) => askOn(transport, question)
  const { pathOf, put, get, list, remove } = namedOn<ScheduleJson, ListedScheduleJson>(transport, {
    plural: 'schedules',
    member: 'next',
    none: 'NO_SUCH_SCHEDULE',
  })
  return {
    async put(system, name, schedule, options) {
      const { isNew, json } = await put(system, name, scheduleBody(schedule as ScheduleOptions), options)
      return { isNew, schedule: json }
    },
    get,
    list,
    remove,
    async pause(system, name, { signal } = {}) {
      const path = `${pathOf(system, name)}/pause`
      return (await ask({ method: 'POST', path, answers: 'next', signal })).json as ScheduleJson
    },
    async resume(system, name, { signal } = {}) {
      const path = `${pathOf(system, name)}/resume`
      return (await ask({ method: 'POST', path, answers: 'next', signal })).json as ScheduleJson
    },
    async trigger(system, name, { id = triggerId(), signal } = {}) {
      const path = `${pathOf(system, name)}/trigger`
      const reply = await ask({
        method: 'POST',
        path,
        body: { id },
        accepts: [202],
        answers: 'round',
        signal,
      })
      return reply.json as TriggerJson
    },
    async backfill(system, name, { from, to, max, signal }) {
      const path = `${pathOf(system, name)}/backfill`
      const body = { from: secondText('from', from, 'up'), to: secondText('to', to, 'down'), max }
      const reply = await ask({ method: 'POST', path, body, accepts: [202], answers: 'rounds', signal })
      return reply.json as BackfillJson
    },
    async next(system, name, { n, signal } = {}) {
      const path = `${pathOf(system, name)}/next`
      const query = { n: n === undefined ? undefined : String(n) }
      return (await ask({ path, query, answers: 'slots', signal })).json as NextSlotsJson
    },
  }
}

/** Such as `2026-11-22T08:00:00Z-k3x9q1`: with the longest name it is still a round's. */
function triggerId(): string {
  const random = [...crypto.getRandomValues(new Uint8Array(6))]
    .map((byte) => (byte % 36).toString(36))
    .join('')
  return `${new Date().toISOString().slice(0, 19)}Z-${random}`
}
