import type { DeathJson, InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import type { RoundJson, RoundListJson } from '../../src/core/rounds/round-wire.ts'
import { monotonicMs } from '../history.ts'
import type { World } from '../world.ts'
import type { Loaded } from './loaded.ts'
import type { Fate, Marks } from './marks.ts'
import { type SteadyLoad, SYSTEM, WORKER } from './steady-load.ts'
import type { Kept } from './stories.ts'

const PAGE = 1_000
/** More than any segment has jobs. */
const MOST_PAGES = 400
const ENDED_WITHIN_MS = 60_000
const CALM_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 1_000
/** Of those that have not ended; the others are found in the list when it is read again. */
const ONE_BY_ONE = 200

/** What the servers say of each job, once all have ended or that cannot be waited for any longer. */
export async function readKept(
  world: World,
  { urls, load }: { readonly urls: readonly string[]; readonly load: SteadyLoad },
): Promise<ReadonlyMap<string, Kept>> {
  const kept = new Map<string, Kept>()
  const clock = Date.now() - monotonicMs()
  await readPages(urls, kept, clock)
  const untilMs = monotonicMs() + ENDED_WITHIN_MS
  for (;;) {
    const open = load.jobs.filter(({ round }) => !isEnd(kept.get(round)))
    for (const { round } of open.slice(0, ONE_BY_ONE)) {
      const reply = await answerOf(urls, `/api/v1/rounds/${SYSTEM}/${round}`)
      if (reply) kept.set(round, keptOf(reply as RoundJson, clock))
    }
    if (monotonicMs() > untilMs || open.every(({ round }) => isEnd(kept.get(round)))) return kept
    await world.pause(LOOK_EVERY_MS)
    if (open.length > ONE_BY_ONE) await readPages(urls, kept, clock)
  }
}

function isEnd(kept: Kept | undefined): boolean {
  return kept?.state === 'completed' || kept?.state === 'failed'
}

async function readPages(urls: readonly string[], kept: Map<string, Kept>, clockMs: number): Promise<void> {
  let cursor = ''
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const list = (await answerOf(urls, `/api/v1/rounds?system=${SYSTEM}&limit=${PAGE}${cursor}`)) as
      | RoundListJson
      | undefined
    for (const round of list?.rounds ?? []) kept.set(round.round, keptOf(round, clockMs))
    if (list?.next === undefined) return
    cursor = `&cursor=${encodeURIComponent(list.next)}`
  }
}

async function answerOf(urls: readonly string[], path: string): Promise<unknown> {
  for (const url of urls) {
    const reply = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
    if (reply?.ok) return reply.json()
  }
  return undefined
}

/** @param clockMs what the clock of Redis is ahead of the one that all processes share */
function keptOf({ state, fence, completion }: RoundJson, clockMs: number): Kept {
  return {
    state,
    ...(fence !== undefined && { fence }),
    ...(completion?.reason !== undefined && { reason: completion.reason }),
    ...(completion && { endedAtMs: Date.parse(completion.at) - clockMs }),
  }
}

/** What was told that is not so: alerts of instances to which nothing was done, and of all else. */
export async function checkAlerts({ world, sight, marks }: Loaded): Promise<void> {
  const alerts = await sight.ask((client) => client.alerts({ limit: 10_000 }))
  for (const { kind, name, detail, openedAt, resolution = 'it is open' } of alerts) {
    if (kind === 'unresponsive' && marks.silenced.has(name)) continue
    const one = sight.ever.get(name)
    const last = one
      ? `${one.place} on ${one.host} (${one.pid}), last seen ${one.state}`
      : 'no instance was seen'
    world.claim(
      false,
      `told of ${kind}, ${name}, at ${openedAt}, which is not so: ${detail}; ${resolution}; ${last}; the harness was late by ${Math.round(sight.latestMs)} ms at most`,
    )
  }
  const isCalm = async () => (await sight.ask((client) => client.alerts({ state: 'open' }))).length === 0
  await world.until(isCalm, 'all alerts are resolved', CALM_WITHIN_MS)
}

/** Why instances died, as their supervisors tell it: as it was done to them, and nobody else died. */
export async function checkDeaths({ world, sight, marks }: Loaded): Promise<void> {
  const died = await sight.ask(({ fleet }) => fleet.instances({ worker: WORKER, state: 'died' }))
  for (const { id } of died) {
    const one = await sight.ask(({ fleet }) => fleet.instance(id))
    // What it ran in its few seconds is started elsewhere.
    if (one && marks.badReleases.has(one.release))
      marks.harm({
        what: 'its release is no good',
        pids: [one.pid],
        fromMs: 0,
        untilMs: Number.POSITIVE_INFINITY,
      })
    if (one?.death && !isTrue(one, one.death, marks))
      world.claim(
        false,
        `${one.place} (${one.pid}, release ${one.release}) died, and nothing like that was done to it: ${one.death.detail}`,
      )
  }
}

function isTrue(one: InstanceJson, death: DeathJson, marks: Marks): boolean {
  if (marks.badReleases.has(one.release) && death.signal === undefined && death.cause === 'crash') return true
  const fate: Fate | undefined = marks.fates.get(one.id)
  switch (fate) {
    case 'killed':
      return death.signal === 'SIGKILL' && death.cause === 'crash'
    case 'hung':
      return death.cause === 'unresponsive'
    case 'leaked':
      return death.cause === 'memory'
    case undefined:
      // Told to end while its host is cut off it cannot say what becomes of its jobs, and is ended by force.
      return death.cause === 'ordered' && marks.silenced.has(one.id)
  }
}
