import { createClient, type GoneClient } from '../../client/client.ts'
import { pause } from '../../waiting.ts'
import { liveAsChild, tell } from './child.ts'
import { JOB_SYSTEM, JOB_WORKER, LEASE_MS, type Orders, SYSTEM, WARM_UP_MS, WORK_MS } from './protocol.ts'

const RENEW_EVERY_MS = LEASE_MS / 3
const STAND_BY = '30s'
/** So that the election's times are not those of the submission. */
const SUBMIT_AFTER_MS = 100

// One of five copies of a service: knows nothing of the others but the clock and the server.
liveAsChild(process.argv[2] ?? '', (orders) => void takePartInEvery(orders))

async function takePartInEvery({ url, everyMs, notBeforeMs }: Orders): Promise<never> {
  const client = createClient({ url })
  await warmUp(client)
  for (;;) {
    // Like a cron: the nominal moment names the round, so that all replicas name it alike.
    const slotMs = Math.max(notBeforeMs, (Math.floor(Date.now() / everyMs) + 1) * everyMs)
    while (Date.now() < slotMs) await pause(slotMs - Date.now())
    void takePart(client, roundAt(slotMs))
    void submit(client, roundAt(slotMs))
  }
}

/** The first requests pay for the connection and the compiler; a service that has run for a while does not. */
async function warmUp(client: GoneClient): Promise<void> {
  const endMs = performance.now() + WARM_UP_MS
  while (performance.now() < endMs) await client.elected(SYSTEM, 'warm-up').catch(() => undefined)
}

async function takePart(client: GoneClient, round: string): Promise<void> {
  try {
    const askedMs = performance.now()
    let election = await client.elect(SYSTEM, round, { lease: LEASE_MS })
    if (!election.leads) {
      tell({ kind: 'lost', round, ms: performance.now() - askedMs })
      election = await client.elect(SYSTEM, round, { lease: LEASE_MS, wait: STAND_BY })
    }
    if (election.leads) {
      const { fence, leader } = election
      tell({ kind: 'leads', round, fence, leader })
      await work(client, round, fence)
    }
  } catch (error) {
    tell({ kind: 'trouble', round, message: messageOf(error) })
  }
  tell({ kind: 'left', round })
}

async function work(client: GoneClient, round: string, fence: number): Promise<void> {
  const doneMs = performance.now() + WORK_MS
  for (let restMs = WORK_MS; restMs > 0; restMs = doneMs - performance.now()) {
    await pause(Math.min(restMs, RENEW_EVERY_MS))
    const renewal = await client.renew(SYSTEM, round, { fence })
    if (renewal.kind !== 'renewed') return
  }
  const { kind } = await client.complete(SYSTEM, round, { fence, result: { workedMs: WORK_MS } })
  tell({ kind: 'reported', round, fence, isRecorded: kind === 'recorded' })
}

/** The other way: whoever leads, a worker is to do it. */
async function submit(client: GoneClient, round: string): Promise<void> {
  await pause(SUBMIT_AFTER_MS)
  try {
    const { isFirst } = await client.submit(JOB_SYSTEM, round, {
      worker: JOB_WORKER,
      data: { workMs: WORK_MS },
    })
    tell({ kind: 'submitted', round, isFirst })
  } catch (error) {
    tell({ kind: 'notSubmitted', round, message: messageOf(error) })
  }
}

/** Such as `2026-11-22T08.15.04`: without colons, which the board would show percent-escaped. */
function roundAt(slotMs: number): string {
  const local = new Date(slotMs - new Date(slotMs).getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 19).replaceAll(':', '.')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
