import type { Figure } from './figures.ts'

/** What DESIGN.md's figures have to hold against, on a machine where the limits are as in the same report. */
export interface Target {
  readonly name: Figure['name']
  readonly at?: number
  readonly about: string
  readonly isMet: (figure: Figure) => boolean
}

const MIN_KNOWN_SHARE = 0.75
const MIN_WINNERS_SHARE = 0.27
const MAX_LOSERS_P99_MS = 10
const MAX_RACE_MS = 25
const MAX_ROUND_BYTES = 1_200
const MAX_RECORD_BYTES = 400
const MIN_JOBS_SHARE = 0.5
const MAX_START_SHARE = 2
const MAX_GROWTH = 1.3

const MAX_REARM_S = 10
const MAX_TICK_S = 5
const MAX_LIST_S = 1
const MAX_LATENESS_P99_MS = 1_000
const MAX_SCHEDULE_BYTES = 2_048

const TARGETS: readonly Target[] = [
  ...(['losers', 'elected'] as const).flatMap((name) =>
    [1, 32].map((at) => share(name, at, MIN_KNOWN_SHARE)),
  ),
  share('winners', 32, MIN_WINNERS_SHARE),
  {
    name: 'losers',
    at: 32,
    about: `p99 < ${MAX_LOSERS_P99_MS} ms`,
    isMet: ({ p99Ms = Number.NaN }) => p99Ms < MAX_LOSERS_P99_MS,
  },
  {
    name: 'race',
    about: `p50 ≤ ${MAX_RACE_MS} ms`,
    isMet: ({ p50Ms = Number.NaN }) => p50Ms <= MAX_RACE_MS,
  },
  {
    name: 'jobs',
    about: `≥ ${MIN_JOBS_SHARE}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit >= MIN_JOBS_SHARE,
  },
  {
    name: 'start',
    about: `≤ ${MAX_START_SHARE}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit <= MAX_START_SHARE,
  },
  ...(['keptSubmissions', 'keptJobs', 'keptStart'] as const).map((name) => ({
    name,
    about: `≤ ${MAX_GROWTH}`,
    isMet: ({ ofLimit = Number.NaN }: Figure) => ofLimit <= MAX_GROWTH,
  })),
  bytes('memory', MAX_ROUND_BYTES),
  bytes('memoryWithoutJob', MAX_RECORD_BYTES),
  seconds('scheduleRearm', MAX_REARM_S),
  seconds('scheduleTick', MAX_TICK_S),
  seconds('scheduleList', MAX_LIST_S),
  {
    name: 'scheduleLateness',
    about: `p99 < ${MAX_LATENESS_P99_MS.toLocaleString('en')} ms`,
    isMet: ({ p99Ms = Number.NaN }) => p99Ms < MAX_LATENESS_P99_MS,
  },
  bytes('scheduleMemory', MAX_SCHEDULE_BYTES),
  none('killedLost'),
  none('killedTwice'),
]

export function targetsOf(figure: Figure): readonly Target[] {
  return TARGETS.filter(({ name, at }) => name === figure.name && (at === undefined || at === figure.at))
}

function share(name: Figure['name'], at: number, min: number): Target {
  return {
    name,
    at,
    about: `≥ ${min}`,
    isMet: ({ ofEmpty = Number.NaN }) => ofEmpty >= min,
  }
}

function bytes(name: Figure['name'], max: number): Target {
  return {
    name,
    about: `≤ ${max.toLocaleString('en')} B`,
    isMet: (figure) => (figure.bytes ?? Number.NaN) <= max,
  }
}

function seconds(name: Figure['name'], max: number): Target {
  return {
    name,
    about: `≤ ${max} s`,
    isMet: (figure) => (figure.seconds ?? Number.NaN) <= max,
  }
}

function none(name: Figure['name']): Target {
  return { name, about: '0', isMet: (figure) => figure.count === 0 }
}
