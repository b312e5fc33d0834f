import { type CallRequest, callsBy } from '../client/call.ts'
import type { Calls } from '../client/define-worker.ts'
import { callJson, type EndedCallJson } from '../core/rounds/call-wire.ts'
import type { HandlerContext } from '../queue/handler-context.ts'
import { BullJobQueues } from '../queue/job-queues.ts'
import { KnownFleet } from '../service/fleet/known-fleet.ts'
import { RegionsServed } from '../service/fleet/regions-served.ts'
import { ServedWorkers } from '../service/fleet/served-workers.ts'
import { Caller } from '../service/rounds/caller.ts'
import { Canceller } from '../service/rounds/canceller.ts'
import { Dispatcher } from '../service/rounds/dispatcher.ts'
import { RoundWatch } from '../service/rounds/round-watch.ts'
import { RedisFleet } from '../store/fleet/redis-fleet.ts'
import { RedisCallWaits } from '../store/records/redis-call-waits.ts'
import type { RedisRecords } from '../store/records/redis-records.ts'
import { RedisNews } from '../store/redis-news.ts'
import { type Ground, nowMs } from './assembly.ts'
import type { assembleRounds } from './rounds.ts'

/** The calls that come over HTTP. */
export function assembleCaller(
  { lines, log }: Ground,
  { records, http }: ReturnType<typeof assembleRounds>,
  served: ServedWorkers,
): Caller {
  const waits = new RedisCallWaits(lines.commands)
  return new Caller({ ...http, records, watch: http.standby, served, waits, log, nowMs })
}

/** Gives each handler of a worker process what it calls other workers with. What that needs is opened with the first call. */
export function handlerCalls(
  ground: Ground,
  records: RedisRecords,
): (context: HandlerContext) => HandlerContext & Calls {
  let opened: Caller | undefined
  const caller = () => {
    opened ??= openCaller(ground, records)
    return opened
  }
  return (context) =>
    Object.assign(
      context,
      callsBy((call) => callFrom(caller(), context, call)),
    )
}

function openCaller({ config, lines, closing, log, tracer }: Ground, records: RedisRecords): Caller {
  const fleet = new KnownFleet(new RedisFleet(lines.commands), nowMs)
  const regions = new RegionsServed(fleet)
  const isServedIn = (worker: string, region: string) => regions.serves(worker, region)
  const client = lines.open('commands', 'calls')
  const jobs = new BullJobQueues(client, config.jobRetentionMs, undefined, isServedIn)
  closing.add('queues', () => jobs.stop())
  // Calls have no deadline, and show on no board.
  const deadlines = { expect: () => undefined }
  const dispatcher = new Dispatcher({ ...config, records, jobs, deadlines, log, ...(tracer && { tracer }) })
  const completer = { follow: async () => undefined }
  const canceller = new Canceller({ records, completer, jobs, log })
  const watch = new RoundWatch({ records, news: new RedisNews(lines.open('waiting', 'news')), nowMs })
  const served = new ServedWorkers({ fleet, consumers: (worker) => jobs.consumers(worker), nowMs })
  return new Caller({
    records,
    dispatcher,
    canceller,
    watch,
    served,
    waits: new RedisCallWaits(lines.commands),
    log,
    nowMs,
  })
}

/** Made while the handler's own attempt goes on: with that, the call is given up. */
async function callFrom(
  caller: Caller,
  { system, round, fence, signal, traceparent }: HandlerContext,
  { signal: own, ...order }: CallRequest,
): Promise<EndedCallJson> {
  const parent = { id: { system, round }, fence }
  const ends = own ? AbortSignal.any([signal, own]) : signal
  const { id, seen, end } = await caller.outcome(
    { ...order, ...(traceparent !== undefined && { traceparent }), parent },
    ends,
  )
  return callJson(id, order.worker, seen, end) as EndedCallJson
}
