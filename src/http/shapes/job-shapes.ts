import type { LedRoundJson } from '../../core/rounds/round-wire.ts'
import { MAX_ATTEMPTS, MAX_PRIORITY } from '../../core/rounds/submission.ts'
import type { ScheduleJobBody } from '../../core/schedules/schedule-wire.ts'
import {
  about,
  anyOf,
  anything,
  choice,
  duration,
  instant,
  integer,
  objectOf,
  optional,
  text,
} from '../../core/shape.ts'
import { LED_MEMBERS, WAITING_MEMBERS, type WaitingRoundJson } from './round-shapes.ts'

const BACKOFF = objectOf<NonNullable<ScheduleJobBody['backoff']>>('Backoff', {
  type: choice(['fixed', 'exponential']),
  delay: about('What the first new attempt waits, up to 7d.', duration()),
})

export const REGION_NAME = text({ pattern: '^[\\w.:-]{1,64}$' })

/** The members of what a job is made of, whenever it is submitted. */
export const JOB_MEMBERS = {
  worker: optional(
    about("The worker that runs it; by default the one of the system's name.", text(), 'webhook'),
  ),
  data: optional(
    about('What the worker is given, any JSON.', anything(), { url: 'https://example.com/hook' }),
  ),
  attempts: optional(about('How many attempts it has.', integer(1, MAX_ATTEMPTS), 3)),
  backoff: optional(about('What a new attempt waits.', BACKOFF, { type: 'exponential', delay: '1s' })),
  timeout: optional(about('How long an attempt may take, up to 7d.', duration(), '30s')),
  priority: optional(
    about('1 goes first; the default goes before all that have one.', integer(1, MAX_PRIORITY), 10),
  ),
  deadline: optional(
    about(
      'When the round turns red if it has not ended, from the submission on; 1s to 7d.',
      duration(),
      '10m',
    ),
  ),
  ifExecutorDies: optional(
    about(
      '`fail`: started once, ever. By default it is started again where its worker died.',
      choice<'rerun' | 'fail'>(['rerun', 'fail']),
      'rerun',
    ),
  ),
  region: optional(
    about(
      'Where it is run as long as an instance of the worker takes jobs there; else wherever one is free.',
      REGION_NAME,
      'eu',
    ),
  ),
}

interface SubmissionBody extends ScheduleJobBody {
  readonly delay?: string
  readonly at?: string
}

export const SUBMISSION = objectOf<SubmissionBody>('SubmitBody', {
  ...JOB_MEMBERS,
  delay: optional(about('When it starts at the earliest, from now on; up to 7d.', duration(), '5m')),
  at: optional(about('The same as a time, in place of `delay`.', instant(), '2026-11-22T08:00:00Z')),
})

const LINK = { link: about('Where the round is found.', text(), '/api/v1/rounds/cleaner/2026-11-22') }

/** A round as it was submitted, by this call or an earlier one. */
export const SUBMITTED = anyOf(
  objectOf<LedRoundJson & { link: string }>('SubmittedLedRound', { ...LED_MEMBERS, ...LINK }),
  objectOf<WaitingRoundJson & { link: string }>('SubmittedRound', { ...WAITING_MEMBERS, ...LINK }),
)
