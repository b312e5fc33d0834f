import type { LoadResult } from './load.ts'

export const MEASUREMENTS = [
  'winners',
  'rounds',
  'losers',
  'unseen',
  'elected',
  'idle',
  'race',
  'memory',
  'jobs',
  'growth',
  'schedules',
  'fleet',
  'killed',
  'calls',
  'console',
  'spread',
  'cluster',
] as const
export type Measurement = (typeof MEASUREMENTS)[number]

/** These take as long as all others together, so they have to be asked for. */
const ASKED_FOR: readonly Measurement[] = ['growth', 'killed', 'console', 'spread', 'cluster']
/** What is measured where nothing is named. */
export const USUAL = MEASUREMENTS.filter((name) => !ASKED_FOR.includes(name))

export const LIMITS = ['empty', 'emptyRace', 'set', 'add', 'bareJobs', 'bareStart'] as const
export type Limit = (typeof LIMITS)[number]

/** What is measured with many rounds kept. */
export const GROWN = ['elect', 'complete', 'lose', 'elected', 'submit', 'run', 'list', 'metrics'] as const
export type Grown = (typeof GROWN)[number]

/** What is measured of schedules. */
export type ScheduleFigure =
  | 'scheduleMake'
  | 'scheduleRearm'
  | 'scheduleTick'
  | 'scheduleList'
  | 'scheduleLateness'
  | 'scheduleMemory'

/** What is measured of a thousand instances. */
export type FleetFigure =
  | 'fleetList'
  | 'fleetCommand'
  | 'fleetStep'
  | 'fleetProcessor'
  | 'fleetMemory'
  | 'fleetAof'
  | 'fleetChange'
  | 'fleetJobs'

/** What is measured of the console's pages: the median of them, and as p99 the slowest. */
export type ConsoleFigure =
  | 'consoleByte'
  | 'consoleData'
  | 'consoleSearch'
  | 'consoleElections'
  | 'consoleSlow'
  | 'consoleViewers'
  | 'consoleIdle'
  | 'consoleChange'

/** What is measured of one server of several processes, beside one of one. */
export type SpreadFigure = 'spreadWinners' | 'spreadLosers' | 'spreadMemory'

/** What each node of a Cluster does, and its share of what all of them do. */
export type ClusterFigure = 'clusterCommands' | 'clusterProcessor'

/** What is counted while servers are killed. */
export type KilledFigure = 'killedSlots' | 'killedLost' | 'killedTwice' | 'killedServers' | 'killedLateness'

/** One line of the report. Which members it has depends on what was measured. */
export interface Figure {
  readonly name:
    | Exclude<
        Measurement,
        'idle' | 'growth' | 'schedules' | 'fleet' | 'killed' | 'console' | 'spread' | 'cluster'
      >
    | Limit
    | 'memoryLed'
    | 'memoryWithoutJob'
    | 'aofWritten'
    | 'aofRewritten'
    | 'givenUpStarted'
    | 'board'
    | 'idleCommands'
    | 'idleProcessor'
    | 'idleMemory'
    | 'start'
    | `grown-${Grown}`
    | 'grownMemory'
    | ScheduleFigure
    | FleetFigure
    | ConsoleFigure
    | SpreadFigure
    | ClusterFigure
    | KilledFigure
  /** Connections, or commands in flight; rounds that are kept; the number of a node. */
  readonly at?: number
  /** Of how many systems the kept rounds are. */
  readonly systems?: number
  readonly perSecond?: number
  readonly seconds?: number
  /** The rate divided by that of the empty route at as many connections: the median over pairs of neighbouring runs. */
  readonly ofEmpty?: number
  /**
   * Beside a bare BullMQ worker: the rate divided by its rate, or the time by its time. With many rounds kept: the cost beside
   * that with none, the console's pages beside those over few; elections beside those while nobody searches. Of several processes: the rate, or the memory, divided by that of one. Of a
   * node: its share.
   */
  readonly ofLimit?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly bytes?: number
  /** Of one core. */
  readonly percent?: number
  /** Of Redis, for one of our scripts. */
  readonly micros?: number
  readonly count?: number
}

/** A rate and its latencies: the median of each over the runs. */
export function rateOf(runs: readonly LoadResult[]) {
  return {
    perSecond: median(runs.map(perSecond)),
    p50Ms: median(runs.map((run) => quantile(run.latenciesMs, 0.5))),
    p99Ms: median(runs.map((run) => quantile(run.latenciesMs, 0.99))),
  }
}

export function perSecond({ answers, elapsedMs }: LoadResult): number {
  return (answers * 1_000) / elapsedMs
}

export function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5)
}

/** @param sorted ascending, not empty */
export function quantile(sorted: Float64Array, share: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  if (value === undefined) throw new Error('nothing was measured')
  return value
}
