import { MAX_ENDS, MAX_EVENTS } from '../../core/rounds/record.ts'
import type {
  LedRoundJson,
  RoundEndJson,
  RoundEventJson,
  RoundJobJson,
  RoundJson,
  RoundListJson,
  SpreadJson,
  SubmittedRoundJson,
  TallyJson,
} from '../../core/rounds/round-wire.ts'
import {
  about,
  anyOf,
  anything,
  choice,
  instant,
  integer,
  listOf,
  objectOf,
  optional,
  type Shape,
  text,
  truth,
} from '../../core/shape.ts'

export const ADDRESS = about('An address, ip:port.', text(), '10.0.0.7:41234')
const DEADLINE_AT = about('When the round turns red, if nobody reports.', instant())

const NAMES = {
  system: about('The name that the replicas of one service share.', text(), 'cleaner'),
  round: about('One occurrence of the work.', text(), '2026-11-22'),
}

const JOB = objectOf<NonNullable<RoundJson['job']>>('Job', {
  worker: about('The queue that it waits in.', text()),
  region: optional(about('Where it is run as long as an instance of its worker takes jobs there.', text())),
  submittedAt: instant(),
  submissions: optional(
    about('How often it was submitted with the same data; missing where that was once.', integer(2)),
  ),
  starts: about('How often a worker has begun it.', integer()),
})

const COMPLETION = objectOf<NonNullable<LedRoundJson['completion']>>('Completion', {
  outcome: choice(['completed', 'failed']),
  by: about('Who has reported it.', ADDRESS),
  at: instant(),
  result: optional(about('What the completer sent as its result, any JSON.', anything())),
  reason: optional(about('Why the leader gave up.', text())),
})

const END = objectOf<RoundEndJson>('RoundEnd', {
  outcome: choice(['failed', 'overdue']),
  leader: optional(ADDRESS),
  fence: optional(integer(1)),
  by: optional(about('Who had reported it.', ADDRESS)),
  at: instant(),
  reason: optional(text()),
  retriedAt: instant(),
  retriedBy: about('Who has opened it again.', text()),
  retriedFor: optional(about('Why.', text())),
})

const EVENT = objectOf<RoundEventJson>('RoundEvent', {
  what: about(
    'An attempt that failed, and was not the last; a start that was given back unspent; a report that was refused.',
    choice<RoundEventJson['what']>(['submitted', 'led', 'started', 'failed', 'givenBack', 'refused']),
  ),
  at: instant(),
  by: optional(about('The worker that it was submitted to; else who has done it.', text())),
  fence: optional(integer(1)),
  reason: optional(text()),
  outcome: optional(about('What the report that was refused said.', choice(['completed', 'failed']))),
})

const HISTORY = {
  events: optional(
    about(
      `What has become of it on the way, oldest first, at most ${MAX_EVENTS}; missing if it went straight to its end.`,
      listOf(EVENT),
    ),
  ),
  history: optional(
    about(`Its earlier ends, at most ${MAX_ENDS}, newest first, if it was opened again.`, listOf(END)),
  ),
}

/** The members of a round that has a leader, or had one. */
export const LED_MEMBERS = {
  ...NAMES,
  state: about(
    'What has become of it.',
    choice<LedRoundJson['state']>(['led', 'overdue', 'completed', 'failed']),
  ),
  leader: about('Who leads it, or has led it.', ADDRESS),
  leaderName: optional(about('What the leader calls itself, if it has said.', text())),
  fence: about('Grows with each new leader.', integer(1)),
  electedAt: instant(),
  deadlineAt: DEADLINE_AT,
  leaseMs: optional(about('How long the leader may be silent before another may take over.', integer())),
  leaseExpiresAt: optional(instant()),
  completion: optional(COMPLETION),
  job: optional(about('The job that a submitted round is.', JOB)),
  ...HISTORY,
}

/** The members of a round that no worker has begun yet, or that is open again. */
export const WAITING_MEMBERS = {
  ...NAMES,
  state: choice<SubmittedRoundJson['state']>(['submitted', 'open', 'overdue']),
  deadlineAt: optional(DEADLINE_AT),
  job: optional(JOB),
  ...HISTORY,
}

export type WaitingRoundJson = Omit<SubmittedRoundJson, 'leader' | 'fence' | 'completion'>

export const LED_ROUND = objectOf<LedRoundJson>('LedRound', LED_MEMBERS)
const WAITING_ROUND = objectOf<WaitingRoundJson>('WaitingRound', WAITING_MEMBERS)
export const ROUND: Shape<RoundJson> = anyOf(LED_ROUND, WAITING_ROUND)

export const ROUND_JOB = objectOf<RoundJobJson>('RoundJob', {
  ...NAMES,
  worker: about('The queue that it is in.', text()),
  state: about('As BullMQ names it.', text(), 'active'),
  attemptsMade: about('Attempts that have ended.', integer()),
  attempts: optional(about('How many it has; missing where that is left to its worker.', integer())),
  data: about('What its worker is given.', anything()),
  progress: optional(about('What its handler has said last of how far it is.', anything())),
  log: objectOf<RoundJobJson['log']>('JobLog', {
    lines: about('The last ones, oldest first.', listOf(text())),
    count: about('How many there are.', integer()),
  }),
  now: instant(),
})

/** The member of a page that says where to go on. */
export const NEXT = optional(about('The cursor of the next page; missing on the last.', text()))

const LOOKED = objectOf<TallyJson['looked']>('Looked', {
  entries: about('How many rounds were looked at.', integer()),
  until: optional(about('When the last of them came.', instant())),
})

const SPREAD = objectOf<SpreadJson>('Spread', {
  p50Ms: about('Half of them are below.', integer()),
  p99Ms: about('All but one of a hundred are below.', integer()),
})

export const TALLY = objectOf<TallyJson>('Tally', {
  counts: objectOf<TallyJson['counts']>('StateCounts', {
    submitted: integer(),
    open: integer(),
    led: integer(),
    overdue: integer(),
    completed: integer(),
    failed: integer(),
  }),
  newest: about(
    'The newest ten of each state that somebody may have to look after.',
    objectOf<TallyJson['newest']>('NewestRounds', {
      overdue: listOf(ROUND),
      led: listOf(ROUND),
      submitted: listOf(ROUND),
      failed: listOf(ROUND),
    }),
  ),
  looked: LOOKED,
  hasMore: about('Older rounds were not looked at: there may be more.', truth()),
  minutes: about(
    'By the minute in which they came, oldest first, of the last hour or as far as was looked.',
    listOf(
      objectOf<TallyJson['minutes'][number]>('TallyMinute', {
        at: instant(),
        came: integer(),
        failed: integer(),
      }),
    ),
  ),
  took: optional(about('From the election to the report, in ms.', SPREAD)),
  waited: optional(about('From the submission to the start, in ms.', SPREAD)),
  now: instant(),
})

export const ROUND_LIST = objectOf<RoundListJson>('RoundList', {
  rounds: listOf(ROUND),
  next: NEXT,
  looked: optional(
    about('How far was looked for them, where they were looked for by more than their system.', LOOKED),
  ),
})
