import { type Figure, type Limit, type Measurement, median, perSecond, rateOf } from './figures.ts'
import { type LoadResult, load } from './load.ts'
import type { BenchServer, Processes } from './processes.ts'
import { RedisLimits } from './redis-limits.ts'

/** What is measured as a rate, beside the empty route. */
export const RATES = [
  'winners',
  'rounds',
  'losers',
  'elected',
  'unseen',
] as const satisfies readonly Measurement[]
type Rate = (typeof RATES)[number]

/** A short load, with so many connections or commands in flight. */
type Run = (at: number, durationMs: number) => Promise<LoadResult>

const CONNECTIONS = [1, 32]
/** Many short runs: neighbours share the machine's noise, and a median forgets the outliers. */
const REPETITIONS = 9
const WARM_UP_MS = 1_500
const CAUGHT_UP_WITHIN_MS = 60_000

/**
 * The rates of what was asked for and of its limits. Each run has one of the empty route just before or after it, in
 * turns; what Redis alone does is measured among them.
 *
 * @param seconds how long each figure is measured, all its runs together
 */
export async function measureRates(
  processes: Processes,
  names: readonly Rate[],
  seconds: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  say('rates: starting the servers')
  const empty = emptyRoute(await processes.startEmpty())
  const gone = await processes.startGone()
  const rounds = new RoundLoads(gone, names.includes('unseen') ? await processes.startReplica(gone) : gone)
  await rounds.prepare()
  const limits = new RedisLimits(gone.redis)
  try {
    say('rates: warming up')
    for (const run of [empty, ...names.map((name) => rounds[name]), limits.set, limits.add]) {
      await run(32, WARM_UP_MS)
    }
    const tally = new Tally()
    const runMs = (seconds * 1_000) / REPETITIONS
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      say(`rates: run ${repetition + 1} of ${REPETITIONS}`)
      for (const at of CONNECTIONS) {
        for (const name of names) {
          const isFirst = repetition % 2 === 1
          const before = isFirst ? await rounds[name](at, runMs) : undefined
          const beside = await empty(at, runMs)
          tally.addPair(name, at, before ?? (await rounds[name](at, runMs)), beside)
        }
        tally.add('set', at, await limits.set(at, runMs))
        tally.add('add', at, await limits.add(at, runMs))
      }
    }
    const { behindSeconds } = rounds
    return [
      ...tally.figures(),
      ...(behindSeconds.length > 0 ? [{ name: 'board' as const, seconds: median(behindSeconds) }] : []),
    ]
  } finally {
    await limits.stop()
    await processes.stop()
  }
}

function emptyRoute({ url }: BenchServer): Run {
  return (connections, durationMs) => load({ url, connections, durationMs, status: 204, nextPath: () => '/' })
}

/** How many rounds losers and readers ask for. */
const KNOWN_ROUNDS = 1_000
/** Rounds kept ready for each millisecond of asking a server that has not seen them; where they run out the run ends. */
const UNSEEN_PER_MS = 15

/** The loads on the server under test. Every answer of each has one status only, which `load` checks. */
class RoundLoads {
  private led = 0
  private shown = 0
  private asked = 0
  /** How long the board was behind the last report, each time. */
  readonly behindSeconds: number[] = []

  /** @param replica another server on the same Redis, which has not seen what `gone` decided */
  constructor(
    private readonly gone: BenchServer,
    private readonly replica: BenchServer,
  ) {}

  async prepare(): Promise<void> {
    let next = 0
    const nextPath = () => (next < KNOWN_ROUNDS ? `/api/v1/elect/bench/known-${next++}` : undefined)
    await load({
      url: this.gone.url,
      connections: 32,
      durationMs: Number.POSITIVE_INFINITY,
      status: 202,
      nextPath,
    })
  }

  /** Every request is for a round of its own. */
  readonly winners: Run = (connections, durationMs) =>
    load({ ...this.gone, connections, durationMs, status: 202, nextPath: () => newPath(this.led++) })

  /** As many rounds as are elected in half of the time, and then completed. */
  readonly rounds: Run = async (connections, durationMs) => {
    let next = this.led
    const elected = await this.winners(connections, durationMs / 2)
    const nextPath = () => (next < this.led ? newPath(next++, 'complete') : undefined)
    const url = this.gone.url
    const ended = await load({
      url,
      connections,
      durationMs: Number.POSITIVE_INFINITY,
      status: 200,
      nextPath,
    })
    this.behindSeconds.push(await this.boardBehind())
    return {
      answers: elected.answers + ended.answers,
      elapsedMs: elected.elapsedMs + ended.elapsedMs,
      latenciesMs: Float64Array.from([...elected.latenciesMs, ...ended.latenciesMs]).sort(),
    }
  }

  /** Every request is for a round that this process knows; it looks again at one that it has not looked at for two seconds. */
  readonly losers: Run = async (connections, durationMs) => {
    await this.remindOfKnown()
    const nextPath = () => this.knownPath('elect')
    return load({ ...this.gone, connections, durationMs, status: 204, nextPath })
  }

  readonly elected: Run = async (connections, durationMs) => {
    await this.remindOfKnown()
    const nextPath = () => this.knownPath('elected')
    return load({ ...this.gone, connections, durationMs, status: 200, nextPath })
  }

  /** Every request is for a round that another process has decided, and this one has not heard of. */
  readonly unseen: Run = async (connections, durationMs) => {
    const needed = durationMs * UNSEEN_PER_MS
    while (this.led - this.shown < needed) await this.winners(32, 250)
    const nextPath = () => (this.shown < this.led ? newPath(this.shown++) : undefined)
    return load({ ...this.replica, connections, durationMs, status: 204, nextPath })
  }

  /** What it knew of a round is old after two seconds, and between the runs others are measured. */
  private async remindOfKnown(): Promise<void> {
    let next = 0
    const nextPath = () => (next < KNOWN_ROUNDS ? `/api/v1/elect/bench/known-${next++}` : undefined)
    await load({
      ...this.gone,
      connections: 32,
      durationMs: Number.POSITIVE_INFINITY,
      status: 204,
      nextPath,
    })
  }

  private async boardBehind(): Promise<number> {
    const startedMs = performance.now()
    for (;;) {
      const metrics = await (await fetch(`${this.gone.url}/metrics`)).text()
      if (/^gone_board_backlog 0$/m.test(metrics)) return (performance.now() - startedMs) / 1_000
      if (performance.now() - startedMs > CAUGHT_UP_WITHIN_MS) throw new Error('the board does not catch up')
    }
  }

  private knownPath(verb: 'elect' | 'elected'): string {
    return `/api/v1/${verb}/bench/known-${this.asked++ % KNOWN_ROUNDS}`
  }
}

function newPath(round: number, verb = 'elect'): string {
  return `/api/v1/${verb}/bench/new-${round}`
}

interface Entry {
  readonly name: Rate | Limit
  readonly at: number
  readonly runs: LoadResult[]
  /** Its rate divided by the empty route's beside it, a run each. */
  readonly shares: number[]
}

/** Collects runs by what and at how many connections. */
class Tally {
  private readonly entries = new Map<string, Entry>()

  add(name: Rate | Limit, at: number, run: LoadResult): Entry {
    const key = `${name} ${at}`
    const entry = this.entries.get(key) ?? { name, at, runs: [], shares: [] }
    this.entries.set(key, entry)
    entry.runs.push(run)
    return entry
  }

  addPair(name: Rate, at: number, run: LoadResult, empty: LoadResult): void {
    this.add('empty', at, empty)
    this.add(name, at, run).shares.push(perSecond(run) / perSecond(empty))
  }

  figures(): Figure[] {
    return [...this.entries.values()].map(({ name, at, runs, shares }) => ({
      name,
      at,
      ...rateOf(runs),
      ...(shares.length > 0 && { ofEmpty: median(shares) }),
    }))
  }
}
