import type { SlotNowJson } from '../../core/rounds/round-wire.ts'
import { MAX_LEFT_OUT, type SlotCounts } from '../../core/schedules/schedule.ts'
import { MAX_CAUGHT_UP, MAX_CRON, OVERLAPS } from '../../core/schedules/schedule-body.ts'
import type {
  BackfillJson,
  LastSlotJson,
  LeftOutSlotJson,
  NextSlotsJson,
  ScheduleBody,
  ScheduleJobBody,
  ScheduleJson,
  ScheduleListJson,
  SlotJson,
  TriggerJson,
} from '../../core/schedules/schedule-wire.ts'
import {
  about,
  anything,
  choice,
  duration,
  instant,
  integer,
  listOf,
  nullOr,
  objectOf,
  optional,
  text,
  truth,
} from '../../core/shape.ts'
import type { DstPolicy } from '../../core/time/timetable.ts'
import { STATES } from '../parameters.ts'
import { JOB_MEMBERS } from './job-shapes.ts'
import { NEXT } from './round-shapes.ts'

const GAP = choice<DstPolicy['gap']>(['run-after', 'skip'])
const OVERLAP = choice<DstPolicy['overlap']>(['first', 'second', 'both'])
const DST_ASKED = objectOf<Partial<DstPolicy>>('DstBody', { gap: optional(GAP), overlap: optional(OVERLAP) })
export const DST = objectOf<DstPolicy>('Dst', { gap: GAP, overlap: OVERLAP })

/** The members that say when rounds come. */
export const TIMING_MEMBERS = {
  cron: optional(
    about('5 or 6 fields, or a word such as @hourly.', text({ maxLength: MAX_CRON }), '0 8 * * MON-FRI'),
  ),
  every: optional(about('1s to 366d. What divides a day is counted from midnight.', duration(), '15m')),
  tz: optional(about('The zone that its times are meant in. Default UTC.', text(), 'Europe/Berlin')),
  dst: optional(
    about('What becomes of times that a change of clocks leaves out or brings twice.', DST_ASKED, {
      gap: 'run-after',
      overlap: 'first',
    }),
  ),
}

const CATCH_UP = about(
  'Which slots are run late, after an outage: those of the last `window`, at most `max`.',
  objectOf<NonNullable<ScheduleBody['catchUp']>>('CatchUpBody', {
    window: optional(duration()),
    max: optional(integer(1, MAX_CAUGHT_UP)),
  }),
  { window: '1h', max: 10 },
)

const BODY_MEMBERS = {
  ...TIMING_MEMBERS,
  at: optional(about('Once.', instant(), '2026-11-22T08:00:00Z')),
  jitter: optional(about('Delays each job by up to so much; the slots stay as they are.', duration(), '30s')),
  catchUp: optional(CATCH_UP),
  overlap: optional(
    about('What happens to a slot while the one before it is not finished.', choice(OVERLAPS), 'allow'),
  ),
  startAt: optional(about('No slot is due before.', instant(), '2026-11-22T08:00:00Z')),
  endAt: optional(about('No slot is due after.', instant(), '2027-01-01T00:00:00Z')),
  expect: optional(
    about(
      'Raises an alert for a slot whose round has not come within the grace.',
      objectOf<{ grace: string }>('ExpectBody', { grace: duration() }),
      { grace: '5m' },
    ),
  ),
}

/** What is put. */
export const SCHEDULE_BODY = objectOf<ScheduleBody>('ScheduleBody', {
  cron: BODY_MEMBERS.cron,
  every: BODY_MEMBERS.every,
  at: BODY_MEMBERS.at,
  tz: BODY_MEMBERS.tz,
  dst: BODY_MEMBERS.dst,
  jitter: BODY_MEMBERS.jitter,
  catchUp: BODY_MEMBERS.catchUp,
  overlap: BODY_MEMBERS.overlap,
  startAt: BODY_MEMBERS.startAt,
  endAt: BODY_MEMBERS.endAt,
  job: optional(
    about('What each slot submits.', objectOf<ScheduleJobBody>('JobBody', JOB_MEMBERS), {
      worker: 'hello',
      data: {},
      attempts: 3,
    }),
  ),
  expect: BODY_MEMBERS.expect,
})

const SLOT = objectOf<SlotJson>('Slot', {
  slot: about('The nominal time, which is the key.', text(), '2026-11-22T08:00:00+01:00'),
  round: about('The round that it is submitted as.', text(), 'nightly@2026-11-22T08:00:00+01:00'),
  at: about('When it is due, in UTC.', instant()),
  local: about("The same in the schedule's zone, with its offset.", instant()),
})

const LAST_SLOT = objectOf<LastSlotJson>('LastSlot', {
  slot: text(),
  round: text(),
  at: instant(),
  submittedAt: instant(),
  latenessMs: { schema: { type: 'integer' } },
  submitted: about('How many slots were submitted when it was: more than one after an outage.', integer()),
  skipped: about('How many were left out.', integer()),
  state: optional(
    about('What became of its round, in lists; missing where that is known no more.', choice(STATES)),
  ),
})

const LEFT_OUT_SLOT = objectOf<LeftOutSlotJson>('LeftOutSlot', {
  slot: text(),
  round: about('The round that it would have been.', text()),
  why: about(
    'By the overlap policy, or because it was too old to be made up for, or one of too many.',
    choice<LeftOutSlotJson['why']>(['skipped', 'missed']),
  ),
})

/** The members of a schedule as it is listed. */
const LISTED_MEMBERS = {
  ...BODY_MEMBERS,
  system: text(),
  name: text(),
  tz: text(),
  dst: DST,
  jitter: duration(),
  catchUp: objectOf<ScheduleJson['catchUp']>('CatchUp', { window: duration(), max: integer() }),
  overlap: choice(OVERLAPS),
  job: objectOf<ScheduleJson['job']>('ScheduledJob', { ...JOB_MEMBERS, worker: text(), data: anything() }),
  paused: truth(),
  createdAt: instant(),
  updatedAt: instant(),
  next: about('Null where no slot comes any more, or while it is paused.', nullOr(SLOT)),
  last: about('The last slot that was submitted.', nullOr(LAST_SLOT)),
  counts: about(
    'What became of all slots so far.',
    objectOf<SlotCounts>('SlotCounts', { submitted: integer(), skipped: integer(), missed: integer() }),
  ),
  leftOut: optional(
    about(
      `The newest slots that no round was submitted for, at most ${MAX_LEFT_OUT}, oldest first.`,
      listOf(LEFT_OUT_SLOT),
    ),
  ),
  held: about('Slots that wait for the round before them to end.', integer()),
}

/** The clock of the store, which all times are of. */
export const NOW = { now: about('The time of the store, which all times are of.', instant()) }

export const SCHEDULE = objectOf<ScheduleJson>('Schedule', { ...LISTED_MEMBERS, ...NOW })

export const SCHEDULE_LIST = objectOf<ScheduleListJson>('ScheduleList', {
  schedules: listOf(objectOf<Omit<ScheduleJson, 'now'>>('ListedSchedule', LISTED_MEMBERS)),
  next: NEXT,
  ...NOW,
})

/**
 * What is left of a round's 128 bytes after the longest name of a schedule and `+`. An offset would make of the schedule
 * `a@2026-11-22T08:00:00` the slot of another, `a`.
 */
export const TRIGGER_ID = /^(?!\d\d:\d\d(:\d\d)?$)[A-Za-z0-9_.:-]{1,27}$/

export const TRIGGER_BODY = objectOf<{ id?: string }>('TriggerBody', {
  id: optional(
    about('Calls with the same one are one trigger.', text({ pattern: TRIGGER_ID.source }), 'deploy-7'),
  ),
})

export const TRIGGERED = objectOf<TriggerJson>('Triggered', {
  round: text(),
  link: about('Where the round is found.', text()),
  ...NOW,
})

export const DEFAULT_BACKFILL = 100
export const MAX_BACKFILL = 1_000

interface BackfillBody {
  readonly from: string
  readonly to: string
  readonly max?: number
  readonly dryRun?: boolean
  readonly count?: number
}

export const BACKFILL_BODY = objectOf<BackfillBody>('BackfillBody', {
  from: about('The first slot is due then or later.', instant(), '2026-11-21T00:00:00Z'),
  to: about('The last slot is due then or earlier.', instant(), '2026-11-22T00:00:00Z'),
  max: optional(about('At most so many slots.', integer(1, MAX_BACKFILL), DEFAULT_BACKFILL)),
  dryRun: optional(about('Says what would be done, and does nothing.', truth())),
  count: optional(
    about('How many are to be first: where it would be others, nothing is done.', integer(0, MAX_BACKFILL)),
  ),
})

export const BACKFILLED = objectOf<BackfillJson>('Backfilled', {
  rounds: listOf(
    objectOf<BackfillJson['rounds'][number]>('BackfilledRound', {
      slot: text(),
      round: text(),
      isFirst: about('False where the slot was submitted before, and its round is kept still.', truth()),
    }),
  ),
  next: optional(about("Where to go on, as the next call's `from`.", instant())),
  ...NOW,
})

export const NEXT_SLOTS = objectOf<NextSlotsJson>('NextSlots', { slots: listOf(SLOT), ...NOW })

export const SLOT_NOW = objectOf<SlotNowJson>('SlotNow', {
  slot: about('The latest that has come; null where there is none yet.', nullOr(text())),
  at: about('When it was due.', nullOr(instant())),
  next: nullOr(objectOf<NonNullable<SlotNowJson['next']>>('ComingSlot', { slot: text(), at: instant() })),
  ...NOW,
})
