import { connect, disconnect } from '../src/redis/connections.ts'
import { RedisRecords } from '../src/store/records/redis-records.ts'
import { eachAtOnce } from '../src/waiting.ts'
import type { GoneUnderTest } from './processes.ts'

export const SYSTEMS = 20
export const SCHEDULES = 10_000
export const INSTANCES = 1_000
const AT_ONCE = 64
const RETENTION_MS = 86_400_000
const TERMS = { deadlineMs: 3_600_000 }
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Rounds from one number to another by the store's own steps, without their jobs on the board; what the pages read is the same. */
export async function fillRounds({ redis }: GoneUnderTest, first: number, end: number): Promise<void> {
  const client = connect({ path: redis }, 'waiting', 'bench', silent)
  const records = new RedisRecords(client, RETENTION_MS)
  await each(end - first, async (index) => {
    const n = first + index
    const id = { system: `s${n % SYSTEMS}`, round: `round-${n}` }
    const who = { address: '10.0.0.7:41234', identity: `~${n}` }
    await records.decide(id, who, TERMS)
    if (n % 10 === 0 && n % 100 > 0) return
    const outcome = n % 100 === 0 ? 'failed' : 'completed'
    const detail = outcome === 'failed' ? 'no space' : '{"files":42}'
    records.acknowledge(id, 'finished', await records.complete(id, who, { outcome, detail }, TERMS))
  })
  await records.flush()
  await disconnect(client)
}

export async function fillOthers({ url }: GoneUnderTest): Promise<void> {
  await each(SCHEDULES, (n) =>
    ask(url, `schedules/s${n % SYSTEMS}/each-${n}`, 'PUT', {
      cron: `${n % 60} ${n % 24} 1 1 *`,
      job: { worker: 'nobody', data: { n } },
    }),
  )
  await each(INSTANCES, (n) => pulse(url, n))
}

export function pulse(url: string, n: number): Promise<void> {
  const worker = { name: `w${n % 20}`, slots: 4, running: n % 4, done: n, failed: n % 3 }
  return ask(url, 'fleet/pulse', 'POST', {
    id: `i${n}`,
    host: `h${n % 50}`,
    region: n % 2 ? 'eu' : 'us',
    release: String(40 + (n % 2)),
    pid: n + 1,
    workers: [worker],
    cpuPercent: n % 100,
    rssBytes: 100_000_000 + n,
    loopDelayMs: n % 20,
  })
}

async function each(count: number, act: (n: number) => Promise<void>): Promise<void> {
  await eachAtOnce(
    AT_ONCE,
    Array.from({ length: count }, (_, n) => n),
    act,
  )
}

async function ask(url: string, path: string, method: string, body?: object): Promise<void> {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`console: ${method} ${path} was answered ${answer.status}`)
}
