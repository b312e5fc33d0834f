import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Cluster, Redis } from 'ioredis'
import { ROUNDS_QUEUE, regionQueue } from '../src/core/rounds/job.ts'
import { roundKey } from '../src/core/rounds/round.ts'
import type { RoundJson } from '../src/core/rounds/round-wire.ts'
import { prefixOf, QUEUE_PREFIX } from '../src/queue/queue-keys.ts'
import type { RedisClient } from '../src/redis/connections.ts'
import { pause } from '../src/waiting.ts'
import type { Process } from '../test/support/processes.ts'
import { startRedis, type TestRedis } from '../test/support/redis.ts'
import { Caller } from './caller.ts'
import { type CheckOptions, check, isRunByJob, isShownRightly, type Violation } from './checker.ts'
import type { Effect, Recorder, Return } from './history.ts'
import { startTreeProcess } from './processes.ts'
import { startProxy, type TcpProxy } from './proxy.ts'
import type { Random } from './random.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'
import type { ProbeData } from './workers/probe.ts'

export interface FacadeOptions {
  readonly env?: Readonly<Record<string, string>>
  /** How wrong its clock is. */
  readonly clockOffsetMs?: number
  /** What happens to it where a round's name asks for it, see `preload.ts`. */
  readonly failpoints?: 'kill' | 'stop'
  /** Another version's tree. */
  readonly root?: string
  /** Where it listens; missing: somewhere. */
  readonly port?: number
}

export interface WorkerOptions {
  /** Of the tree: whose files are its workers. Default: the probe's. */
  readonly folder?: string
  readonly env?: Readonly<Record<string, string>>
  readonly clockOffsetMs?: number
  /** Another version's tree. */
  readonly root?: string
  /** Each line that it prints. */
  readonly onLine?: (line: string) => void
}

export interface PoolHostOptions extends Pick<WorkerOptions, 'env' | 'clockOffsetMs' | 'onLine'> {
  /** How many places it takes. */
  readonly most: number
  readonly releases?: string
  /** Of `gone work`, besides. */
  readonly flags?: readonly string[]
}

/** What was played past the history. */
export interface Played {
  readonly rounds: number
  readonly calls: number
  /** Calls of which nobody was told whether they happened. */
  readonly unknown: number
}

/** How long jobs have to end, and the board to follow, when all faults are over. The sweeper needs two of its rounds. */
const END_WITHIN_MS = 25_000
const SHOW_WITHIN_MS = 20_000
const LOOKS_AT_ONCE = 16
/** The system that rounds are of where a scenario needs only one. */
const SYSTEM = 'chaos'

/** Where one scenario happens: its processes, its faults, its history. Ends whatever it started. */
export class World {
  readonly facades: Process[] = []
  private readonly closers: (() => unknown)[] = []
  private readonly callers = new Map<string, Caller>()
  private readonly claims: Violation[] = []
  /** Where the probes write what they do. */
  readonly effectsFile: string
  private truth: TestRedis | undefined
  private isHealed = false
  checkOptions: CheckOptions = {}
  /** True once everything is being ended, also where the scenario has not come to its own end. */
  isEnded = false
  /** Of a load that is too large for the history. */
  besides: Played = { rounds: 0, calls: 0, unknown: 0 }
  /** False where the board cannot show what the records say. */
  looksAtBoard = true
  /** Of all nodes, where the facades are on a Cluster. */
  clusterPorts: readonly number[] | undefined
  /** True where Redis loses what it acknowledged: facades say so there, and nowhere else. */
  isStoreLost = false
  /** Rounds whose jobs were removed from the queues on purpose, as `system/round`. */
  readonly notOnBoard = new Set<string>()
  /** What whoever reads the result must know of how it came about. */
  readonly remarks: string[] = []

  constructor(
    readonly recorder: Recorder,
    readonly random: Random,
    /** The tree whose code runs, as JavaScript. */
    readonly root: string,
    readonly folder: string,
    private readonly interruption: AbortSignal,
  ) {
    this.effectsFile = join(folder, 'effects.jsonl')
    appendFileSync(this.effectsFile, '')
  }

  /** A Redis of its own. The first one started is where the records are. */
  async redis(options: Parameters<typeof startRedis>[0] = {}): Promise<TestRedis> {
    this.interruption.throwIfAborted()
    const redis = await startRedis(options)
    this.onEnd(() => redis.stop())
    this.truth ??= redis
    return redis
  }

  /** A disk of its own for a Redis; undefined, and said so, where this machine does not allow one. */
  async smallDisk(megabytes: number, instead: string): Promise<SmallDisk | undefined> {
    const disk = await mountSmallDisk(this.folder, megabytes)
    if (disk) this.onEnd(() => disk.stop())
    else this.remarks.push(`no mount namespace is permitted here, so ${instead}`)
    return disk
  }

  async proxy(port: number): Promise<TcpProxy> {
    const proxy = await startProxy(port)
    this.onEnd(() => proxy.stop())
    return proxy
  }

  /** `gone serve` in a process of its own. */
  async facade(redis: string | { readonly url: string }, options: FacadeOptions = {}): Promise<Process> {
    this.interruption.throwIfAborted()
    const { env = {}, failpoints, root = this.root, port = 0 } = options
    const facade = await startTreeProcess({
      name: 'gone serve',
      root,
      file: 'src/cli/main.js',
      args: ['serve', '--port', String(port)],
      env: {
        REDIS_URL: typeof redis === 'string' ? redis : redis.url,
        ...clockOf(options),
        ...(failpoints && { CHAOS_FAILPOINTS: failpoints }),
        ...env,
      },
    })
    this.facades.push(facade)
    this.onEnd(() => facade.kill())
    return facade
  }

  /** Several at once. */
  async facadesOn(
    count: number,
    redis: string | { readonly url: string },
    options?: FacadeOptions,
  ): Promise<Process[]> {
    return Promise.all(Array.from({ length: count }, () => this.facade(redis, options)))
  }

  /** A process that runs the probe: the code of `gone work`, with a gate that is over in 2 s where its holder has died. */
  async worker(redis: string | { readonly url: string }, options: WorkerOptions = {}): Promise<Process> {
    return this.startWorker('chaos/worker-process.js', [], redis, options)
  }

  /** A host that takes so many places of pools; of releases below `releases`, if that is given. */
  async poolHost(
    redis: string | { readonly url: string },
    host: string,
    { most, releases, flags = [], env, ...options }: PoolHostOptions,
  ): Promise<Process> {
    const folder = releases === undefined ? [join(this.root, 'chaos/workers')] : ['--releases', releases]
    const args = ['work', ...folder, '--pools', String(most), ...flags]
    return this.startWorker('src/cli/main.js', args, redis, {
      ...options,
      env: { CHAOS_LOCK: '5s', ...env, GONE_HOST_LABEL: host },
    })
  }

  /** The same as `gone work` starts it; with `instances` a supervisor of so many. */
  async goneWork(
    redis: string | { readonly url: string },
    {
      instances,
      hung = '30s',
      folder = 'chaos/workers',
      ...options
    }: WorkerOptions & { readonly instances?: number; readonly hung?: string } = {},
  ): Promise<Process> {
    const supervised = instances === undefined ? [] : ['--instances', String(instances), '--hung', hung]
    const args = ['work', join(this.root, folder), ...supervised]
    return this.startWorker('src/cli/main.js', args, redis, options)
  }

  /** Who calls this facade. */
  to(facade: Pick<Process, 'url'> | string, system = SYSTEM): Caller {
    const url = typeof facade === 'string' ? facade : facade.url
    const key = `${url} ${system}`
    const known = this.callers.get(key)
    if (known) return known
    const caller = new Caller(this.recorder, url, system)
    this.callers.set(key, caller)
    this.onEnd(() => caller.close())
    return caller
  }

  /** Submits a round to the probe. */
  submit(facade: Process, round: string, data: ProbeData = {}, more: object = {}): Promise<Return> {
    return this.to(facade).call('submit', round, { body: { worker: 'probe', data, ...more } })
  }

  /** Where the board shows a round now that no worker runs. */
  async boardState(round: string): Promise<string> {
    const client = new Redis(this.truth?.port ?? 0, { maxRetriesPerRequest: 1 })
    client.on('error', () => undefined)
    const queue = new Queue(ROUNDS_QUEUE, { connection: client, prefix: QUEUE_PREFIX })
    try {
      return await stateOfJob(client, queue, roundKey({ system: SYSTEM, round }))
    } finally {
      await queue.close()
      client.disconnect()
    }
  }

  /** Notes that something is about to go wrong. */
  fault(what: string): void {
    this.recorder.note({ kind: 'fault', what })
  }

  /** Notes that all faults are over. */
  heal(): void {
    this.isHealed = true
    this.recorder.note({ kind: 'healed' })
  }

  /** Something that must hold here and that no rule of the checker says. */
  claim(holds: boolean, what: string): void {
    if (!holds) this.claims.push({ rule: 'claim', what })
  }

  /** Rules that were seen broken past the history. */
  break(violations: readonly Violation[]): void {
    this.claims.push(...violations)
  }

  /** Waits until it is true; a claim is broken if it never is. */
  async until(isSo: () => boolean | Promise<boolean>, what: string, withinMs = 15_000): Promise<void> {
    const giveUpMs = performance.now() + withinMs
    while (performance.now() < giveUpMs) {
      this.interruption.throwIfAborted()
      if (await isSo()) return
      await pause(50)
    }
    this.claim(false, `within ${withinMs / 1_000} s: ${what}`)
  }

  async pause(ms: number): Promise<void> {
    await pause(ms, this.interruption)
    this.interruption.throwIfAborted()
  }

  onEnd(close: () => unknown): void {
    this.closers.push(close)
  }

  /** What the probes have done until now, in the order of time. */
  readEffects(): readonly Effect[] {
    return readFileSync(this.effectsFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Effect)
      .sort((a, b) => a.atMs - b.atMs)
  }

  /**
   * Ends the scenario's history: when all faults are over, asks for every round once more, waits for jobs and board, and
   * reads every record back. Then says what is wrong.
   */
  async settle(): Promise<readonly Violation[]> {
    if (!this.isHealed) this.heal()
    const facade = this.facades.find(({ isAlive }) => isAlive) ?? (await this.facade(this.truth?.url ?? ''))
    const rounds = this.roundsAsked()
    await each(rounds, async ({ system, round, isSubmitted }) => {
      if (!isSubmitted) await this.to(facade, system).electUntilTold(round, { token: `probe-${round}` })
    })
    await this.whenJobsEnd(facade)
    await this.readBack(facade)
    await this.lookAtBoard()
    await this.claimNoFalseLoss()
    for (const effect of this.readEffects()) this.recorder.note(effect)
    return [...check(this.recorder.events, this.checkOptions), ...this.claims]
  }

  async end(): Promise<void> {
    this.isEnded = true
    // What is closed may have been about to start something.
    for (let close = this.closers.pop(); close; close = this.closers.pop()) await close()
  }

  private async startWorker(
    file: string,
    args: readonly string[],
    redis: string | { readonly url: string },
    options: WorkerOptions,
  ): Promise<Process> {
    this.interruption.throwIfAborted()
    const worker = await startTreeProcess({
      name: 'gone work',
      root: options.root ?? this.root,
      file,
      args,
      env: {
        REDIS_URL: typeof redis === 'string' ? redis : redis.url,
        CHAOS_EFFECTS: this.effectsFile,
        ...clockOf(options),
        ...options.env,
      },
      ...(options.onLine && { onLine: options.onLine }),
    })
    this.onEnd(() => worker.kill())
    return worker
  }

  private roundsAsked(): { system: string; round: string; isSubmitted: boolean }[] {
    const rounds = new Map<string, { system: string; round: string; isSubmitted: boolean }>()
    for (const event of this.recorder.events) {
      if (event.kind !== 'invoke') continue
      const { system, round, op } = event
      const key = `${system}/${round}`
      const known = rounds.get(key)
      rounds.set(key, { system, round, isSubmitted: op === 'submit' || (known?.isSubmitted ?? false) })
    }
    return [...rounds.values()]
  }

  private async whenJobsEnd(facade: Process): Promise<void> {
    const giveUpMs = performance.now() + END_WITHIN_MS
    let open = this.roundsAsked().filter(({ isSubmitted }) => isSubmitted)
    while (open.length > 0 && performance.now() < giveUpMs) {
      const still: typeof open = []
      await each(open, async (one) => {
        const { record } = await this.to(facade, one.system).call('round', one.round)
        if (record?.state === 'submitted' || record?.state === 'led') still.push(one)
      })
      open = still
      if (open.length > 0) await this.pause(250)
    }
  }

  private async readBack(facade: Process): Promise<void> {
    await each(this.roundsAsked(), async ({ system, round }) => {
      const caller = this.to(facade, system)
      for (const op of ['round', 'elected', 'completed'] as const)
        await caller.askUntilTold(op, round, { isFinal: true })
    })
  }

  private async claimNoFalseLoss(): Promise<void> {
    if (this.isStoreLost) return
    for (const { url, isAlive } of this.facades) {
      const losses = isAlive ? await lossesSaid(url) : 0
      this.claim(losses === 0, `${url} says that Redis has lost something, which it has not`)
    }
  }

  /** Notes how the board shows each round, once it shows it rightly or cannot be waited for any longer. */
  private async lookAtBoard(): Promise<void> {
    if (this.truth === undefined || !this.looksAtBoard) return
    const client = this.openBoard(this.truth)
    client.on('error', () => undefined)
    const queues = new Map<string, Queue>()
    const queueOf = (name: string) => {
      const queue =
        queues.get(name) ?? new Queue(name, { connection: client, prefix: prefixOf(name, client) })
      queues.set(name, queue)
      return queue
    }
    try {
      const giveUpMs = performance.now() + SHOW_WITHIN_MS
      let open = this.finalRecords()
      while (open.length > 0) {
        const isLast = performance.now() > giveUpMs
        const still: RoundJson[] = []
        await each(open, async (record) => {
          const places = await Promise.all(
            queuesOf(record).map(async (name) => {
              const queue = queueOf(name)
              return { queue, state: await stateOfJob(client, queue, roundKey(record)) }
            }),
          )
          const [place, ...others] = places.filter(({ state }) => state !== 'unknown')
          const state = others.length > 0 ? `in ${1 + others.length} queues` : (place?.state ?? 'unknown')
          const job = state === 'failed' ? await place?.queue.getJob(roundKey(record)) : undefined
          const reason = job?.failedReason
          const { system, round } = record
          const shown = { kind: 'shown', system, round, state, ...(reason && { reason }) } as const
          if (isLast || isShownRightly(record, shown, this.checkOptions)) this.recorder.note(shown)
          else still.push(record)
        })
        open = still
        if (open.length > 0) await this.pause(250)
      }
    } finally {
      await Promise.all([...queues.values()].map((queue) => queue.close()))
      client.disconnect()
    }
  }

  /** Of a Cluster all nodes: its queues are on each of them. */
  private openBoard({ port }: TestRedis): RedisClient {
    if (this.clusterPorts === undefined) return new Redis(port, { maxRetriesPerRequest: 1 })
    return new Cluster(
      this.clusterPorts.map((node) => ({ host: '127.0.0.1', port: node })),
      { redisOptions: { maxRetriesPerRequest: 1 } },
    )
  }

  private finalRecords(): RoundJson[] {
    const calls = new Set<number>()
    const records: RoundJson[] = []
    for (const event of this.recorder.events) {
      if (event.kind === 'invoke' && event.isFinal && event.op === 'round') calls.add(event.call)
      if (event.kind === 'return' && calls.has(event.call) && event.record) records.push(event.record)
    }
    return records.filter(({ system, round }) => !this.notOnBoard.has(`${system}/${round}`))
  }
}

/** How often a facade has said that Redis has lost what it acknowledged; 0 where it says nothing at all. */
export async function lossesSaid(url: string): Promise<number> {
  const reply = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
  return Number(/^gone_store_losses_total (\d+)$/m.exec((await reply?.text()) ?? '')?.[1] ?? 0)
}

/** Those of which one has its job: a job for a region is moved on where nobody takes it there. */
function queuesOf(record: RoundJson): readonly string[] {
  const { worker, region } = record.job ?? {}
  if (!isRunByJob(record) || worker === undefined) return [ROUNDS_QUEUE]
  return region === undefined ? [worker] : [worker, regionQueue(worker, region)]
}

/** Where the queue has the job: as BullMQ names it, `unknown` for nowhere, and all of them where it is in more than one place. */
async function stateOfJob(client: RedisClient, queue: Queue, id: string): Promise<string> {
  const state = await queue.getJobState(id)
  const ends = ['completed', 'failed', 'delayed', 'prioritized']
  const scores = await Promise.all(ends.map((end) => client.zscore(queue.toKey(end), id)))
  const places = await Promise.all(['wait', 'active'].map((list) => client.lpos(queue.toKey(list), id)))
  const count = [...scores, ...places].filter((place) => place !== null).length
  return count > 1 ? `in ${count} places` : state
}

function clockOf({ clockOffsetMs }: { readonly clockOffsetMs?: number }): Record<string, string> {
  return clockOffsetMs === undefined ? {} : { CHAOS_CLOCK_OFFSET_MS: String(clockOffsetMs) }
}

/** Does it for all, a few at a time. */
export async function each<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
  atOnce = LOOKS_AT_ONCE,
): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < items.length) {
        const item = items[next] as T
        next += 1
        await act(item)
      }
    }),
  )
}
