import { type Duration, durationText } from './duration.ts'
import { type SubmitOptions, submissionBody } from './submit.ts'
import { secondText, type Time } from './time.ts'

/** When a schedule's rounds come: one of the three. */
type When =
  /** 5 or 6 fields, or a word such as `@hourly`. */
  | { readonly cron: string; readonly every?: never; readonly at?: never }
  /** 1s to 366d. What divides a day is counted from midnight. */
  | { readonly every: Duration; readonly cron?: never; readonly at?: never }
  /** Once. */
  | { readonly at: Time; readonly cron?: never; readonly every?: never }

interface Terms {
  /** The zone that its times are meant in, such as `Europe/Berlin`. Default `UTC`. */
  readonly tz?: string
  /** What becomes of times that a change of clocks leaves out or brings twice. Default `run-after` and `first`. */
  readonly dst?: { readonly gap?: 'skip' | 'run-after'; readonly overlap?: 'first' | 'second' | 'both' }
  /** Delays each job by up to so much; the slots stay as they are. */
  readonly jitter?: Duration
  /** Which slots are run late, after an outage: those of the last `window`, at most `max`. Default 1h and 10. */
  readonly catchUp?: { readonly window?: Duration; readonly max?: number }
  /** What happens to a slot while the one before it is not finished. Default `allow`: both run. */
  readonly overlap?: 'allow' | 'skip' | 'queue' | 'cancel-previous'
  /** No slot is due before. */
  readonly startAt?: Time
  /** No slot is due after. */
  readonly endAt?: Time
  /** Raises an alert for a slot whose round has not come within `grace`. */
  readonly expect?: { readonly grace: Duration }
}

/** What each slot submits. Default: the job of the worker with the system's name, without data. */
type Job<Data> = undefined extends Data
  ? { readonly job?: ScheduledJob<Data> }
  : { readonly job: ScheduledJob<Data> }

/** What a schedule is asked to be. */
export type ScheduleOptions<Data = unknown> = When & Terms & Job<Data>

/** As a submission, without what the schedule decides. */
export type ScheduledJob<Data = unknown> = Omit<SubmitOptions<Data>, 'delay' | 'at' | 'signal'>

/** The body of a PUT. JSON leaves out what is undefined. */
export function scheduleBody(options: ScheduleOptions): object {
  const { every, at, jitter, catchUp, startAt, endAt, job, expect, ...rest } = options
  return {
    ...rest,
    every: durationText(every),
    at: secondText('at', at, 'up'),
    jitter: durationText(jitter),
    catchUp: catchUp && { ...catchUp, window: durationText(catchUp.window) },
    startAt: secondText('startAt', startAt, 'up'),
    endAt: secondText('endAt', endAt, 'down'),
    job: job && submissionBody(job),
    expect: expect && { ...expect, grace: durationText(expect.grace) },
  }
}
