import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '../config.ts'
import { NO_REGION, NO_RELEASE } from '../core/fleet/instance.ts'
import { roundKey } from '../core/rounds/round.ts'
import type { RedlockGate } from '../gate/redlock-gate.ts'
import { JobWorker, type JobWorkerParts } from '../queue/job-worker.ts'
import { OldJobsWatch } from '../queue/old-jobs-watch.ts'
import { OldQueues } from '../queue/old-queues.ts'
import { QueueNames } from '../queue/queue-names.ts'
import { BullRoundQueue } from '../queue/round-queue.ts'
import { isOneServer } from '../redis/connections.ts'
import { InstancePulse } from '../service/fleet/instance-pulse.ts'
import { WorkSeries } from '../service/fleet/work-series.ts'
import { Loop } from '../service/loop.ts'
import { JobRunner } from '../service/rounds/job-runner.ts'
import { RedisFleet } from '../store/fleet/redis-fleet.ts'
import { RedisPokes } from '../store/fleet/redis-pokes.ts'
import { RecordAlong } from '../store/records/along.ts'
import { RedisRecords } from '../store/records/redis-records.ts'
import { RedisSeries } from '../store/series/redis-series.ts'
import { type Ground, nowMs } from './assembly.ts'
import { handlerCalls } from './calls.ts'
import { Closing } from './closing.ts'
import { type OrderedEnd, WorkInstance } from './instance.ts'
import { type Lines, openLines, redisOfWorkers, type Surroundings } from './lines.ts'
import { processTotals } from './process-usage.ts'
import { tracing } from './tracing.ts'
import type { LoadedWorker } from './worker-files.ts'

export interface RunningWorkers {
  /** The rounds whose handlers run in this process now. */
  rounds(): readonly string[]
  /**
   * Takes no more jobs, lets those that run end within `GONE_SHUTDOWN`, then gives them back. May be called twice.
   *
   * @param trouble the error that ends the process, which one of the jobs may have caused
   */
  stop(trouble?: Error): Promise<void>
  readonly instance: WorkInstance
  /** What the lock of a job begins with that runs here, by queue. */
  readonly locks: Readonly<Record<string, string>>
  /** Kept when the fleet has heard of this instance, or could not. */
  readonly listed: Promise<void>
  /** Has the fleet hear of this instance anew. */
  retell(): void
}

interface WorkSurroundings extends Surroundings {
  /** Shorter where dead executors are to be followed sooner, at the price of trusting a silent one for less. */
  readonly gateTtlMs?: number
  /** Has this process end, because an order says so. Missing: as a signal would. */
  readonly onOrdered?: (how: OrderedEnd) => Promise<void>
  /** Of its supervisor, which is told of it. */
  readonly place?: string
}

/** How long the gate holds without an extension; an executor that dies keeps others out for so long. */
const GATE_TTL_MS = 10_000
/** Of the time to stop, what is kept for handlers to notice that they were cut off, at most half of it. */
const CUT_OFF_MS = 6_000
/** And for closing connections after that. */
const CLOSING_MS = 500

/**
 * Starts workers on the Redis of the servers.
 *
 * @throws GoneError with one line for the person who started it; nothing is left running then
 */
export async function startWorkers(
  config: Config,
  workers: readonly LoadedWorker[],
  surroundings: WorkSurroundings,
): Promise<RunningWorkers> {
  const closing = new Closing()
  const { log, gateTtlMs = GATE_TTL_MS, onOrdered = endBySignal, place } = surroundings
  const id = randomBytes(6).toString('hex')
  try {
    const lines = await openLines(config, await redisOfWorkers(config), surroundings, closing)
    const records = new RedisRecords(lines.commands, config.retentionMs)
    closing.add('queues', () => records.flush())
    const rounds = new BullRoundQueue(lines.open('commands', 'rounds'), config)
    closing.add('queues', () => rounds.stop())
    const gate = lines.openGate(config.gateUrls, id)
    await lines.settled()
    const steps = stepsAlong(gate, records, config.retentionMs, gateTtlMs)
    const runner = new JobRunner({ records, rounds, gate, log, nowMs, gateTtlMs })
    const tally = new WorkSeries({
      store: new RedisSeries(lines.commands),
      id,
      release: config.release === NO_RELEASE ? '' : config.release,
      workers: workers.map(({ name }) => name),
      totals: processTotals,
      log,
      nowMs,
    })
    // Not before the last job has ended.
    closing.add('queues', () => tally.stop())
    const traced = tracing({ config, closing, log })
    const withCalls = handlerCalls({ config, lines, closing, log, ...traced }, records)
    const running = new Map(
      workers.map((one) => [
        one.name,
        makeWorker(config, one, { instance: id, runner, tally, lines, log, ...steps, ...traced }, withCalls),
      ]),
    )
    let isBroken = false
    for (const worker of running.values()) {
      closing.add('work', () => worker.stop(drainMs(config), endMs(config), isBroken))
    }
    const locks: Readonly<Record<string, string>> = Object.assign(
      {},
      ...[...running.values()].map((one) => one.locks),
    )
    keepServed(config, Object.keys(locks), { lines, log, closing })
    const { release, region, hostLabel: host = hostname() } = config
    const labels = {
      id,
      release,
      region,
      host,
      ...(isRegional(config) && { regional: true as const }),
      ...(place && { place }),
    }
    const instance = new WorkInstance(running, labels, onOrdered)
    const pulse = await joinFleet(instance, running, { lines, log, closing })
    tally.start()
    return {
      instance,
      locks,
      listed: pulse.listed,
      retell: () => pulse.retell(),
      rounds: () => [...running.values()].flatMap((worker) => [...worker.running]),
      stop(trouble) {
        isBroken ||= trouble !== undefined
        return closing.close(log)
      },
    }
  } catch (error) {
    await closing.close(log)
    throw error
  }
}

/** What BullMQ's steps take along, where the gate's only node is the one server that keeps queues and records. */
function stepsAlong(
  gate: RedlockGate,
  records: RedisRecords,
  retentionMs: number,
  gateTtlMs: number,
): Pick<JobWorkerParts, 'steps'> {
  const lock = gate.lockAhead(gateTtlMs)
  if (lock === undefined) return {}
  const along = new RecordAlong(records, retentionMs, lock)
  return {
    steps: {
      lua: along.lua,
      lock: () => gate.lockAhead(gateTtlMs) ?? lock,
      started: (...all) => along.started(...all),
      completed: (...all) => along.completed(...all),
      nowMs,
    },
  }
}

/** Lets no server forget the queues of these workers, however seldom they are used, and says what an older build has left of them in a Cluster. */
function keepServed(
  { jobRetentionMs }: Config,
  queues: readonly string[],
  { lines, log, closing }: Pick<Ground, 'lines' | 'closing' | 'log'>,
): void {
  const names = new QueueNames(lines.commands, jobRetentionMs)
  const serving = new Loop({
    everyMs: names.noteEveryMs,
    work: () => names.serve(...queues),
    putOff: (cause) => log.debug({ cause }, 'queues not noted as served'),
  })
  closing.add('work', () => serving.stop())
  serving.start()
  if (isOneServer(lines.commands)) return
  const old = new OldQueues(lines.commands)
  const oldJobs = new OldJobsWatch(() => old.count(queues), log)
  closing.add('work', () => oldJobs.stop())
  oldJobs.start()
}

/** Tells the fleet of these workers until they have stopped, and lets them be told what to do. */
async function joinFleet(
  instance: WorkInstance,
  workers: ReadonlyMap<string, JobWorker>,
  { lines, log, closing }: Pick<Ground, 'lines' | 'closing' | 'log'>,
): Promise<InstancePulse> {
  const fleet = new RedisFleet(lines.commands)
  const pokes = new RedisPokes(lines.commands, lines.open('waiting', 'pokes'))
  const pulse = new InstancePulse({ fleet, pokes, instance, log, nowMs })
  closing.add('callers', async () => {
    instance.stopping()
    pulse.hurry()
  })
  // Not before the last job has ended, and what was to be told of it is told.
  closing.add('queues', () => pulse.stop())
  await pulse.prepare()
  for (const worker of workers.values()) worker.start()
  pulse.start()
  return pulse
}

function makeWorker(
  config: Config,
  { name, terms, handler, parseConfig }: LoadedWorker,
  {
    lines,
    ...parts
  }: Pick<JobWorkerParts, 'instance' | 'runner' | 'tally' | 'log' | 'tracer' | 'steps'> & {
    readonly lines: Lines
  },
  withCalls: ReturnType<typeof handlerCalls>,
): JobWorker {
  const worker = new JobWorker({
    ...config,
    queue: name,
    ...(isRegional(config) && { region: config.region }),
    terms,
    ...(parseConfig && { parseConfig }),
    handler: (data, context) => Promise.resolve(handler({ id: roundKey(context), data }, withCalls(context))),
    ...parts,
    client: lines.open('waiting', `worker-${name}`),
    address: `${name}@${hostname()}:${process.pid}`,
  })
  return worker
}

/** One that says where it is. */
const isRegional = ({ region }: Config) => region !== NO_REGION

const drainMs = ({ shutdownMs }: Config) => shutdownMs - Math.min(CUT_OFF_MS, shutdownMs / 2)

const endMs = ({ shutdownMs }: Config) => shutdownMs - Math.min(CLOSING_MS, shutdownMs / 10)

const endBySignal = async () => void process.kill(process.pid, 'SIGTERM')
