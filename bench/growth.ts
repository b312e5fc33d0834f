import { readFile } from 'node:fs/promises'
import { eachAtOnce } from '../src/waiting.ts'
import { type Figure, GROWN, type Grown, median, perSecond } from './figures.ts'
import { ourWay, runAll, submitAll, type Way } from './jobs.ts'
import { type Load, load } from './load.ts'
import type { GoneUnderTest, Processes } from './processes.ts'

/** What is asked of each side is of as many systems, so that only what they keep differs. */
const ASKED_SYSTEMS = 10
const KEPT_SYSTEMS = [ASKED_SYSTEMS, 10_000]
const KNOWN_ROUNDS = 1_000
const CONNECTIONS = 32
const REPETITIONS = 5
const RUN_MS = 300
const READ_MS = 200
const JOBS = 500
/** One in so many rounds that are kept was a worker's. */
const JOBS_AMONG = 10
const SAY_EVERY = 100_000

/**
 * What a server with so many rounds costs, of few systems and of many, beside one that has none: short runs in turns, and the
 * median of their ratios.
 */
export async function measureGrowth(
  processes: Processes,
  rounds: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const systems of KEPT_SYSTEMS) {
    const sides = [await processes.startGone(), await processes.startGone()].map((gone) => new Side(gone))
    const [empty, grown] = sides as [Side, Side]
    try {
      await grown.fill(rounds, systems, say)
      for (const side of sides) await side.prepare()
      const about = { at: rounds, systems }
      for (const [name, ratio] of await compare(empty, grown, say)) {
        figures.push({ ...about, name: `grown-${name}`, ofLimit: ratio })
      }
      const bytes = (await grown.bytes()) - (await empty.bytes())
      figures.push({ ...about, name: 'grownMemory', bytes })
    } finally {
      await Promise.all(sides.map((side) => side.stop()))
      await processes.stop()
    }
  }
  return figures
}

/** How many times as much each takes of the grown side. */
async function compare(empty: Side, grown: Side, say: (line: string) => void): Promise<[Grown, number][]> {
  const ratios = new Map<Grown, number[]>(GROWN.map((name) => [name, []]))
  // The first is not counted: what is compiled and opened then would be.
  for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
    say(`growth: run ${repetition} of ${REPETITIONS}`)
    for (const name of GROWN) {
      const first = repetition % 2 === 0 ? empty : grown
      const rateOfFirst = await first.rates[name]()
      const rateOfOther = await (first === empty ? grown : empty).rates[name]()
      const ratio = first === empty ? rateOfFirst / rateOfOther : rateOfOther / rateOfFirst
      if (repetition > 0) ratios.get(name)?.push(ratio)
    }
  }
  return [...ratios].map(([name, all]) => [name, median(all)])
}

/** A server of its own Redis, and what is asked of it. */
class Side {
  private readonly way: Way
  private asked = 0
  private led = 0
  private ended = 0
  private jobs = 0

  constructor(private readonly gone: GoneUnderTest) {
    this.way = ourWay(gone.redis, { GONE_JOB_RETENTION_COUNT: '10000000' })
  }

  /** Elects and completes so many rounds of so many systems, a part of them as jobs. */
  async fill(rounds: number, systems: number, say: (line: string) => void): Promise<void> {
    const jobs = Math.floor(rounds / JOBS_AMONG)
    for (let from = 0; from < rounds - jobs; from += SAY_EVERY) {
      say(`growth: ${from.toLocaleString('en')} of ${rounds.toLocaleString('en')} rounds, ${systems} systems`)
      const count = Math.min(SAY_EVERY, rounds - jobs - from)
      for (const [verb, status] of [
        ['elect', 202],
        ['complete', 200],
      ] as const) {
        const numbers = Array.from({ length: count }, (_, n) => from + n).values()
        await this.ask(status, Number.POSITIVE_INFINITY, () => {
          const { value: n } = numbers.next()
          return n === undefined ? undefined : `/api/v1/${verb}/s${n % systems}/kept-${n}`
        })
      }
    }
    for (let left = jobs; left > 0; left -= JOBS) {
      await this.submit(Math.min(left, JOBS))
      await this.run(Math.min(left, JOBS))
    }
  }

  async prepare(): Promise<void> {
    const numbers = Array.from({ length: KNOWN_ROUNDS }, (_, n) => n)
    await eachAtOnce(CONNECTIONS, numbers, async (n) => {
      await fetch(this.gone.url + pathOf('elect', `known-${n}`, n), { method: 'POST' })
    })
  }

  readonly rates: Readonly<Record<Grown, () => Promise<number>>> = {
    elect: () => this.ask(202, RUN_MS, () => pathOf('elect', `new-${this.led}`, this.led++)),
    complete: () =>
      this.ask(200, Number.POSITIVE_INFINITY, () =>
        this.ended < this.led ? pathOf('complete', `new-${this.ended}`, this.ended++) : undefined,
      ),
    lose: () => this.ask(204, READ_MS, () => this.knownPath('elect')),
    elected: () => this.ask(200, READ_MS, () => this.knownPath('elected')),
    submit: () => this.submit(JOBS),
    run: () => this.run(JOBS),
    list: () => this.ask(200, RUN_MS, () => '/api/v1/rounds?limit=50', 1),
    metrics: () => this.ask(200, RUN_MS, () => '/metrics', 1),
  }

  /** What its process has in memory. */
  async bytes(): Promise<number> {
    const status = await readFile(`/proc/${this.gone.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024
  }

  stop(): Promise<void> {
    return this.way.stop()
  }

  private async ask(
    status: number,
    durationMs: number,
    nextPath: Load['nextPath'],
    connections = CONNECTIONS,
  ): Promise<number> {
    return perSecond(await load({ url: this.gone.url, connections, durationMs, status, nextPath }))
  }

  private submit(count: number): Promise<number> {
    return submitAll(this.way, this.jobs, count)
  }

  /** Runs as many as were submitted last. */
  private async run(count: number): Promise<number> {
    this.jobs += count
    return runAll(this.way, count)
  }

  private knownPath(verb: string): string {
    const n = this.asked++ % KNOWN_ROUNDS
    return pathOf(verb, `known-${n}`, n)
  }
}

function pathOf(verb: string, round: string, n: number): string {
  return `/api/v1/${verb}/s${n % ASKED_SYSTEMS}/${round}`
}
