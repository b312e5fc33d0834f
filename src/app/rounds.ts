import { randomBytes } from 'node:crypto'
import { isGateIndependent } from '../config.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import { BullJobQueues } from '../queue/job-queues.ts'
import { BullJobTakes } from '../queue/job-takes.ts'
import { BullRoundQueue } from '../queue/round-queue.ts'
import { SettleWorker } from '../queue/settle-worker.ts'
import { isOneServer } from '../redis/connections.ts'
import { KnownFleet } from '../service/fleet/known-fleet.ts'
import { RegionsServed } from '../service/fleet/regions-served.ts'
import { SettingsNow } from '../service/fleet/settings-now.ts'
import { Loop } from '../service/loop.ts'
import { Board } from '../service/rounds/board.ts'
import { Canceller } from '../service/rounds/canceller.ts'
import { Completer } from '../service/rounds/completer.ts'
import { DeadlineWatch } from '../service/rounds/deadline-watch.ts'
import { Dispatcher } from '../service/rounds/dispatcher.ts'
import { callIdentities, Elector } from '../service/rounds/elector.ts'
import { Reader } from '../service/rounds/reader.ts'
import { Retrier } from '../service/rounds/retrier.ts'
import { RoundMemory } from '../service/rounds/round-memory.ts'
import { Standby } from '../service/rounds/standby.ts'
import { Sweeper } from '../service/rounds/sweeper.ts'
import { Taker, type TakerParts } from '../service/rounds/taker.ts'
import { Tally } from '../service/rounds/tally.ts'
import { RedisFleet } from '../store/fleet/redis-fleet.ts'
import { RedisRecords, SUBMIT_LUA, type SubmitAlong } from '../store/records/redis-records.ts'
import { RedisNews } from '../store/redis-news.ts'
import { type Ground, nowMs } from './assembly.ts'
import type { assembleSeries } from './series.ts'

/** How many decided rounds a process remembers: some 30 MB. */
const MEMORY_ROUNDS = 100_000

const FORGET_EVERY_MS = 60_000

/** Forgets queues that nobody uses any more. Runs in every server; two that do the same do no harm. */
function forgetting(jobs: BullJobQueues, log: Log): Loop {
  return new Loop({
    everyMs: FORGET_EVERY_MS,
    async work() {
      const forgotten = await jobs.forget()
      if (forgotten > 0) log.info({ forgotten }, 'queues forgotten that nobody uses')
    },
    putOff: (cause) => log.debug({ cause }, 'queues not looked through'),
  })
}

/** Records, and the queues that are told of their submissions in the same step where both are on one server. */
function openRecords(
  { config, lines, closing }: Pick<Ground, 'config' | 'lines' | 'closing'>,
  fleet: RedisFleet,
) {
  const knownFleet = new KnownFleet(fleet, nowMs)
  const regions = new RegionsServed(knownFleet)
  const client = lines.open('commands', 'jobs')
  // In a Cluster a record and its queue are in different slots.
  const isAlong = isOneServer(client)
  const jobs = new BullJobQueues(
    client,
    config.jobRetentionMs,
    isAlong ? SUBMIT_LUA : undefined,
    (worker, region) => regions.serves(worker, region),
  )
  closing.add('queues', () => jobs.stop())
  const along: SubmitAlong = (id, submission, step) => jobs.addRecorded(id, submission, step)
  const records = new RedisRecords(lines.commands, config.retentionMs, isAlong ? along : undefined)
  return { records, jobs, knownFleet }
}

/** Hands out jobs over HTTP. */
function openTaker(
  { config, lines, log, tracer }: Omit<Ground, 'closing'>,
  fleet: RedisFleet,
  jobs: BullJobQueues,
  parts: Pick<TakerParts, 'records' | 'rounds' | 'gate' | 'tally'>,
): { readonly taker: Taker; readonly takes: BullJobTakes } {
  const client = lines.open('commands', 'takes')
  const takes = new BullJobTakes({ ...config, client, serve: (queue) => jobs.serve(queue) })
  const settings = new SettingsNow(fleet, nowMs)
  const usual = (worker: string, instance?: string) => settings.usualTermsOf(worker, instance)
  return { taker: new Taker({ ...parts, takes, usual, log, nowMs, ...(tracer && { tracer }) }), takes }
}

/** Elections, submissions and reports: what a round goes through. */
export function assembleRounds(
  { config, lines, closing, log, tracer }: Ground,
  { tally }: Pick<ReturnType<typeof assembleSeries>, 'tally'>,
) {
  const fleet = new RedisFleet(lines.commands)
  const opened = openRecords({ config, lines, closing }, fleet)
  const { records, jobs } = opened
  const queue = new BullRoundQueue(lines.open('commands', 'queue'), config)
  const board = new Board({ records, queue, log })
  closing.add('queues', async () => {
    await board.stop()
    await Promise.all([records.flush(), queue.stop()])
  })
  const workGate = lines.openGate(config.gateUrls)
  const gate = isGateIndependent(config) && workGate

  const memory = new RoundMemory(MEMORY_ROUNDS, config.retentionMs, nowMs)
  const sweeper = new Sweeper(records, queue, jobs, log)
  const deadlines = new DeadlineWatch({
    records,
    tell: (id, step) => sweeper.tell(id, step),
    log,
    nowMs,
  })
  const traced = tracer === undefined ? {} : { tracer }
  const shared = { records, board, deadlines, memory, log, nowMs, ...(gate && { gate }) }
  const elector = new Elector(shared)
  const completer = new Completer(shared)
  const dispatcher = new Dispatcher({ ...config, records, jobs, deadlines, log, ...traced })
  const canceller = new Canceller({ records, completer, jobs, log })
  const retrier = new Retrier({ ...config, ...shared, jobs })
  const news = new RedisNews(lines.open('waiting', 'news'))
  const standby = new Standby({ elector, records, memory, news, nowMs })
  const { taker, takes: leftJobs } = openTaker({ config, lines, log, ...traced }, fleet, jobs, {
    records,
    rounds: queue,
    gate: workGate,
    tally,
  })
  const reader = new Reader(records, memory, nowMs)
  const settling = lines.open('waiting', 'settle')
  return {
    ...opened,
    leftJobs,
    dispatcher,
    canceller,
    works: [
      new SettleWorker({ ...config, client: settling, records, queue, log }),
      sweeper,
      deadlines,
      forgetting(jobs, log),
    ],
    queues: [queue.queue],
    metrics: { records, queue, jobs, sweeper, board },
    http: {
      elector,
      completer,
      dispatcher,
      canceller,
      retrier,
      standby,
      taker,
      jobs,
      reader,
      jobReader: jobs,
      tally: new Tally({ reader, records, nowMs }),
      callIdentity: callIdentities(randomBytes(6).toString('base64url')),
    },
  }
}
