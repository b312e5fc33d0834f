import { type ClusterFigure, type Figure, GROWN, type Grown } from './figures.ts'

/** What DESIGN.md's figures have to hold against, on a machine where the limits are as in the same report. */
export interface Target {
  readonly name: Figure['name']
  readonly at?: number
  readonly about: string
  readonly isMet: (figure: Figure) => boolean
}

const MIN_KNOWN_SHARE = 0.75
const MIN_WINNERS_SHARE = 0.27
const MIN_ROUNDS_SHARE = 0.2
const MAX_BOARD_S = 2
const MAX_IDLE_COMMANDS = 3
/** Ten servers beside one. */
const MAX_IDLE_GROWTH = 3
const MAX_IDLE_PERCENT = 0.3
const MAX_IDLE_BYTES = 80 * 1_024 * 1_024
const MAX_LOSERS_P99_MS = 10
const MAX_RACE_MS = 25
const MAX_LED_BYTES = 250
const MAX_ROUND_BYTES = 800
const MAX_RECORD_BYTES = 324
const MIN_JOBS_SHARE = 0.55
const MAX_START_SHARE = 2.2
const MAX_GROWTH = 1.1
const MAX_READ_GROWTH = 1.5
const MAX_GROWTH_BYTES = 64 * 1_024 * 1_024

const MAX_CONSOLE_BYTE_MS = 100
const MAX_CONSOLE_DATA_MS = 1_000
const MAX_VIEWERS_PERCENT = 15
const MAX_IDLE_VIEWERS_PERCENT = 5
const MAX_SEEN_P99_MS = 1_000
const MAX_SEARCH_S = 2
const MAX_BESIDE_SEARCH = 1.2

const MAX_REARM_S = 10
const MAX_TICK_S = 5
const MAX_LIST_S = 1
const MAX_LATENESS_P99_MS = 1_000
const MAX_SCHEDULE_BYTES = 2_048

const MAX_FLEET_LIST_S = 0.3
const MAX_FLEET_COMMAND_S = 0.6
const MAX_FLEET_MICROS = 60
const MAX_FLEET_PERCENT = 3
const MAX_INSTANCE_BYTES = 2_048
const MAX_INSTANCE_AOF_BYTES = 150
const MAX_CHANGE_P99_MS = 500
const MIN_FLEET_JOBS_SHARE = 0.95

const MAX_NODE_SHARE = 0.5

const TARGETS: readonly Target[] = [
  ...(['losers', 'elected'] as const).flatMap((name) =>
    [1, 32].map((at) => share(name, at, MIN_KNOWN_SHARE)),
  ),
  share('winners', 32, MIN_WINNERS_SHARE),
  share('rounds', 32, MIN_ROUNDS_SHARE),
  seconds('board', MAX_BOARD_S),
  {
    name: 'idleCommands',
    at: 1,
    about: `≤ ${MAX_IDLE_COMMANDS}/s`,
    isMet: ({ perSecond = Number.NaN }) => perSecond <= MAX_IDLE_COMMANDS,
  },
  {
    name: 'idleCommands',
    at: 10,
    about: `≤ ${MAX_IDLE_GROWTH}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit <= MAX_IDLE_GROWTH,
  },
  {
    name: 'idleProcessor',
    about: `≤ ${MAX_IDLE_PERCENT} %`,
    isMet: ({ percent = Number.NaN }) => percent <= MAX_IDLE_PERCENT,
  },
  bytes('idleMemory', MAX_IDLE_BYTES),
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
  ...GROWN.map((name) => growth(name, name === 'list' || name === 'metrics' ? MAX_READ_GROWTH : MAX_GROWTH)),
  bytes('grownMemory', MAX_GROWTH_BYTES),
  bytes('memoryLed', MAX_LED_BYTES),
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
  {
    name: 'calls',
    at: 1,
    about: 'p50 ≤ 5 ms, p99 ≤ 25 ms',
    isMet: ({ p50Ms = Number.NaN, p99Ms = Number.NaN }) => p50Ms <= 5 && p99Ms <= 25,
  },
  {
    name: 'calls',
    at: 50,
    about: '≥ 1,200/s, p99 ≤ 80 ms',
    isMet: ({ perSecond = Number.NaN, p99Ms = Number.NaN }) => perSecond >= 1_200 && p99Ms <= 80,
  },
  slowest('consoleByte', MAX_CONSOLE_BYTE_MS),
  slowest('consoleData', MAX_CONSOLE_DATA_MS),
  besideFew('consoleByte', MAX_READ_GROWTH),
  besideFew('consoleData', MAX_READ_GROWTH),
  seconds('consoleSearch', MAX_SEARCH_S),
  besideFew('consoleElections', MAX_BESIDE_SEARCH),
  none('consoleSlow'),
  {
    name: 'consoleViewers',
    about: `≤ ${MAX_VIEWERS_PERCENT} %`,
    isMet: ({ percent = Number.NaN }) => percent <= MAX_VIEWERS_PERCENT,
  },
  {
    name: 'consoleIdle',
    about: `≤ ${MAX_IDLE_VIEWERS_PERCENT} %`,
    isMet: ({ percent = Number.NaN }) => percent <= MAX_IDLE_VIEWERS_PERCENT,
  },
  {
    name: 'consoleChange',
    about: `p99 < ${MAX_SEEN_P99_MS.toLocaleString('en')} ms`,
    isMet: ({ p99Ms = Number.NaN }) => p99Ms < MAX_SEEN_P99_MS,
  },
  none('givenUpStarted'),
  seconds('fleetList', MAX_FLEET_LIST_S),
  seconds('fleetCommand', MAX_FLEET_COMMAND_S),
  {
    name: 'fleetStep',
    about: `≤ ${MAX_FLEET_MICROS} µs`,
    isMet: ({ micros = Number.NaN }) => micros <= MAX_FLEET_MICROS,
  },
  {
    name: 'fleetProcessor',
    about: `≤ ${MAX_FLEET_PERCENT} %`,
    isMet: ({ percent = Number.NaN }) => percent <= MAX_FLEET_PERCENT,
  },
  bytes('fleetMemory', MAX_INSTANCE_BYTES),
  bytes('fleetAof', MAX_INSTANCE_AOF_BYTES),
  {
    name: 'fleetChange',
    about: `p99 < ${MAX_CHANGE_P99_MS} ms`,
    isMet: ({ p99Ms = Number.NaN }) => p99Ms < MAX_CHANGE_P99_MS,
  },
  {
    name: 'fleetJobs',
    about: `≥ ${MIN_FLEET_JOBS_SHARE}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit >= MIN_FLEET_JOBS_SHARE,
  },
  nodeShare('clusterCommands'),
  nodeShare('clusterProcessor'),
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

function slowest(name: Figure['name'], maxMs: number): Target {
  return {
    name,
    about: `< ${maxMs.toLocaleString('en')} ms`,
    isMet: ({ p99Ms = Number.NaN }) => p99Ms < maxMs,
  }
}

function besideFew(name: Figure['name'], max: number): Target {
  return {
    name,
    about: `≤ ${max}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit <= max,
  }
}

function growth(name: Grown, max: number): Target {
  return {
    name: `grown-${name}`,
    about: `≤ ${max}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit <= max,
  }
}

function bytes(name: Figure['name'], max: number): Target {
  return {
    name,
    about: `≤ ${max.toLocaleString('en')} B`,
    isMet: (figure) => (figure.bytes ?? Number.NaN) <= max,
  }
}

function nodeShare(name: ClusterFigure): Target {
  return {
    name,
    about: `≤ ${MAX_NODE_SHARE}`,
    isMet: ({ ofLimit = Number.NaN }) => ofLimit <= MAX_NODE_SHARE,
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
