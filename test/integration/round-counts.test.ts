import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createClient, type GoneClient, type RoundJson } from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const STATES = ['submitted', 'led', 'overdue', 'completed', 'failed'] as const
/** Each system, and what its rounds come to in turn. */
const SYSTEMS = ['report', 'cleaner', 'billing'] as const
const EACH = 30

let server: TestServer
let client: GoneClient
let records: RoundJson[]
let half: string

const nameOf = (n: number) => `2026-${n % 2 === 0 ? 'Nov' : 'Dec'}-${String(n).padStart(3, '0')}`

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  for (let n = 0; n < EACH; n += 1) {
    if (n === EACH / 2) half = await nowText()
    for (const system of SYSTEMS) await make(system, nameOf(n), STATES[n % STATES.length] ?? 'led', n)
  }
  // The overdue ones need a second.
  await vi.waitFor(
    async () =>
      expect((await walk()).filter(({ state }) => state === 'overdue')).toHaveLength(
        (EACH / STATES.length) * SYSTEMS.length,
      ),
    { timeout: 30_000, interval: 200 },
  )
  records = await walk()
})

afterAll(async () => {
  await server.stop()
})

async function nowText(): Promise<string> {
  // Rounds of the same millisecond would be on both sides.
  await new Promise((resolve) => setTimeout(resolve, 5))
  const { now } = (await (await fetch(`${server.url}/api/v1/status`)).json()) as { now?: string }
  const at = now ?? new Date().toISOString()
  await new Promise((resolve) => setTimeout(resolve, 5))
  return at
}

async function make(system: string, round: string, state: (typeof STATES)[number], n: number): Promise<void> {
  if (state === 'submitted') {
    await client.submit(system, round, { worker: n % 4 === 0 ? 'mailer' : 'printer' })
    return
  }
  const name = n % 3 === 0 ? 'blue' : 'green'
  const { leads, fence } = await client.elect(system, round, {
    name,
    ...(state === 'overdue' && { deadline: '1s' }),
  })
  expect(leads).toBe(true)
  const shown = fence === undefined ? {} : { fence }
  if (state === 'completed') await client.complete(system, round, shown)
  if (state === 'failed') await client.fail(system, round, { ...shown, reason: 'asked' })
}

/** Every round's own record, one by one. */
async function walk(): Promise<RoundJson[]> {
  const found: RoundJson[] = []
  for (const system of SYSTEMS)
    for (let n = 0; n < EACH; n += 1) {
      const round = await client.round(system, nameOf(n))
      if (round) found.push(round)
    }
  expect(found).toHaveLength(SYSTEMS.length * EACH)
  return found
}

interface Filter {
  readonly system?: string
  readonly q?: string
  readonly worker?: string
  readonly leader?: string
  readonly from?: 'half'
}

/** Whether the record fits, told by other rules than those of the server. */
function fits({ system, q, worker, leader, from }: Filter, { round, ...record }: RoundJson): boolean {
  const came = Number(round.slice(-3)) >= EACH / 2
  return (
    (system === undefined || record.system === system) &&
    (q === undefined || new RegExp(q.replaceAll('.', '\\.'), 'i').test(round)) &&
    (worker === undefined || record.job?.worker === worker) &&
    (leader === undefined || ('leaderName' in record && record.leaderName === leader)) &&
    (from === undefined || came)
  )
}

const parts: readonly Filter[] = [
  {},
  { q: 'nov' },
  { q: '-01' },
  { worker: 'mailer' },
  { leader: 'blue' },
  { from: 'half' },
  { q: 'DEC', leader: 'green' },
  { q: 'nov', worker: 'printer' },
  { leader: 'blue', from: 'half' },
  { q: 'nothing-like-it' },
]
const filters = [undefined, ...SYSTEMS].flatMap((system) =>
  parts.map((part): Filter => ({ ...part, ...(system !== undefined && { system }) })),
)

const queryOf = ({ from, ...filter }: Filter) =>
  new URLSearchParams({ ...filter, ...(from && { from: half }) })

describe(`the counts under ${filters.length} filters`, () => {
  it.each(filters.map((filter) => [JSON.stringify(filter), filter] as const))(
    'are those of the records themselves: %s',
    async (_, filter) => {
      const expected = Object.fromEntries(
        STATES.map((state) => [
          state,
          records.filter((one) => one.state === state && fits(filter, one)).length,
        ]),
      )
      const answer = await fetch(`${server.url}/api/v1/rounds/tally?${queryOf(filter)}`)
      const { counts, hasMore } = (await answer.json()) as {
        counts: Record<string, number>
        hasMore: boolean
      }
      expect({ ...counts, open: undefined }).toEqual({ ...expected, open: undefined })
      expect(hasMore).toBe(false)
      for (const state of STATES) {
        const list = await fetch(`${server.url}/api/v1/rounds?${queryOf(filter)}&state=${state}&limit=200`)
        const { rounds } = (await list.json()) as { rounds: RoundJson[] }
        expect([state, rounds.length]).toEqual([state, expected[state]])
      }
    },
  )
})
