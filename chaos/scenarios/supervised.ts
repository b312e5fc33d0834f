import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { rssOf } from '../../src/process/memory.ts'
import { monotonicMs } from '../history.ts'
import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'
import { killFifty, restartThree } from './supervised-load.ts'

/** Longer than any of these scenarios: that BullMQ finds a job stalled is not what is tried here. */
const LOCK = { CHAOS_LOCK: '60s' }
/** So soon others are to run what a dead instance ran, and another is to be registered in its place. */
const SOON_MS = 3_000
/** Of one worker they are ended 45 s apart; a successor takes a moment more or less to be seen. */
const APART_MS = 40_000

/** What the printer answers. */
interface Printed {
  readonly pid: number
  readonly mib: number
}

/** What the instances of a supervisor may suffer. */
export const SUPERVISED: readonly Scenario[] = [
  {
    name: 'handed-back',
    proves:
      'what killed instances ran starts elsewhere within 3 s under a higher fence, or ends failed where it may be started once, and another is registered within 3 s or as soon as one starts on this machine: 50 of 50 under 200 jobs/s; nothing else is started again',
    isShort: true,
    mayTakeMs: 1_200_000,
    async run(world, size) {
      if (size >= 1) return killFifty(world)
      const redis = await world.redis({ aof: 'always' })
      const facade = await world.facade(redis)
      const fleet = createClient({ url: facade.url }).fleet
      const askedMs = performance.now()
      await world.goneWork(redis, { env: LOCK, instances: 3 })
      const registered = async () => fleet.instances({ state: 'registered' })
      await world.until(async () => (await registered()).length === 3, 'three instances are registered')
      const replacedMs = Math.max(SOON_MS, performance.now() - askedMs)
      const rounds = names('round', 30)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 12_000 })
      await world.until(() => startsOf(world).length === rounds.length, 'all rounds have begun')
      let cut = 0
      for (const victim of (await registered()).slice(0, 2)) {
        const ran = lastStarts(world).filter(({ pid }) => pid === victim.pid)
        cut += ran.length
        world.fault(`SIGKILL of an instance that runs ${ran.length} rounds`)
        const killedMs = performance.now()
        process.kill(victim.pid, 'SIGKILL')
        const isBack = (one: (typeof ran)[number]) =>
          lastStarts(world).some(({ round, fence }) => round === one.round && fence > one.fence)
        await world.until(() => ran.every(isBack), 'what it ran has begun elsewhere', SOON_MS)
        const isReplaced = async () =>
          (await registered()).some(({ place, id }) => place === victim.place && id !== victim.id)
        const leftMs = Math.round(killedMs + replacedMs - performance.now())
        await world.until(isReplaced, 'another is registered in its place', leftMs)
      }
      await world.until(() => endsOf(world) >= rounds.length, 'all rounds have ended', 30_000)
      const starts = startsOf(world).length
      world.claim(
        starts === rounds.length + cut,
        `${rounds.length} rounds, of which ${cut} were cut off, were started ${starts} times`,
      )
    },
  },
  {
    name: 'hung-instance',
    proves:
      'an instance that stands still is listed so within 6 s, killed once it is hung, and what it ran starts elsewhere; one that goes on before is left alone',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const fleet = createClient({ url: facade.url }).fleet
      await world.goneWork(redis, { env: LOCK, instances: 2, hung: '9s' })
      const registered = async () => fleet.instances({ state: 'registered' })
      const stateOf = async (id: string) => (await fleet.instance(id))?.state
      await world.until(async () => (await registered()).length === 2, 'two instances are registered')
      const [sleeper, victim] = (await registered()) as [InstanceJson, InstanceJson]
      world.fault('SIGSTOP of an instance, and SIGCONT before it is hung')
      process.kill(sleeper.pid, 'SIGSTOP')
      await world.until(async () => (await stateOf(sleeper.id)) === 'unresponsive', 'it is listed so', 7_000)
      process.kill(sleeper.pid, 'SIGCONT')
      await world.until(async () => (await stateOf(sleeper.id)) === 'registered', 'it is well again', SOON_MS)
      const rounds = names('round', 20)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 2_000 })
      await world.until(() => startsOf(world).length === rounds.length, 'all rounds have begun')
      const ran = lastStarts(world).filter(({ pid }) => pid === victim.pid)
      world.fault(`SIGSTOP of an instance that runs ${ran.length} rounds, for good`)
      process.kill(victim.pid, 'SIGSTOP')
      // Where nobody ends it, it hears of no other end.
      world.onEnd(() => endOf(victim.pid))
      await world.until(async () => (await stateOf(victim.id)) === 'died', 'it is killed', 9_000 + SOON_MS)
      const isBack = (one: (typeof ran)[number]) =>
        lastStarts(world).some(({ round, fence }) => round === one.round && fence > one.fence)
      await world.until(() => ran.every(isBack), 'what it ran has begun elsewhere', SOON_MS)
      await world.until(
        async () => (await registered()).length === 2,
        'two instances are registered',
        SOON_MS,
      )
      world.claim((await stateOf(sleeper.id)) === 'registered', 'the other was ended too')
    },
  },
  {
    name: 'log-flood',
    proves:
      'while one instance prints without end each line of the other is shown within 1 s at p99, what is left out is counted, and the supervisor grows by less than 32 MB',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const client = createClient({ url: facade.url })
      const supervisor = await world.goneWork(redis, { instances: 2, folder: 'chaos/printers' })
      const registered = () => client.fleet.instances({ worker: 'printer', state: 'registered' })
      await world.until(async () => (await registered()).length === 2, 'two instances are registered')
      const heard = new Map<string, number>()
      let dropped = 0
      const ending = new AbortController()
      world.onEnd(async () => ending.abort())
      const following = (async () => {
        const pages = client.fleet.followLog({ worker: 'printer' }, { text: 'said-', signal: ending.signal })
        for await (const page of pages) {
          for (const { text } of page.lines) {
            const [, said = '', atMs] = /^(said-\d+) at (\S+)$/.exec(text) ?? []
            if (!heard.has(said)) heard.set(said, monotonicMs() - Number(atMs))
          }
          for (const one of page.dropped) dropped += one.lines ?? 1
        }
      })().catch((error: unknown) => {
        if (!ending.signal.aborted) throw error
      })
      await client.submit('printed', 'flood', { worker: 'printer', data: { floodMs: 20_000 } })
      await world.pause(2_000)
      world.fault('an instance prints 50 MiB a second')
      const beforeBytes = rssOf(supervisor.pid) ?? 0
      const pids = new Map<string, number>()
      for (const said of names('said', 60)) {
        await client.submit('printed', said, { worker: 'printer', data: { says: said } })
        const end = await client.wait('printed', said, { timeout: '20s' })
        pids.set(said, (end?.completion.result as Printed | undefined)?.pid ?? 0)
        await world.pause(100)
      }
      const grownMib = Math.round(((rssOf(supervisor.pid) ?? 0) - beforeBytes) / 1_048_576)
      const flood = await client.wait('printed', 'flood', { timeout: '40s' })
      const { pid: flooder, mib } = (flood?.completion.result ?? { pid: 0, mib: 0 }) as Printed
      const quiet = [...pids].filter(([, pid]) => pid !== flooder).map(([said]) => said)
      await world.until(() => quiet.every((said) => heard.has(said)), 'all lines of the quiet one are shown')
      ending.abort()
      await following
      const late = quiet.map((said) => heard.get(said) ?? 0).sort((a, b) => a - b)
      const p99Ms = Math.round(late[Math.floor(late.length * 0.99)] ?? 0)
      world.remarks.push(
        `${mib} MiB printed, ${dropped} lines left out; p99 of ${late.length} lines: ${p99Ms} ms; grown by ${grownMib} MiB`,
      )
      world.claim(quiet.length >= 10, `only ${quiet.length} lines were of the quiet one`)
      world.claim(p99Ms < 1_000, `p99 of a line is ${p99Ms} ms`)
      world.claim(mib / 20 >= 25, `the printer came to ${Math.round(mib / 20)} of 50 MiB/s`)
      world.claim(dropped > 0, 'nothing is said to be left out')
      world.claim(grownMib < 32, `the supervisor has grown by ${grownMib} MiB`)
    },
  },
  {
    name: 'stuck-recycled',
    proves:
      'of two instances that take no jobs one is replaced, the other 45 s later at the earliest, and after three within 10 min they are only told of',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const client = createClient({ url: facade.url })
      const wedge = join(world.folder, 'wedged')
      await world.goneWork(redis, { env: { ...LOCK, CHAOS_WEDGE: wedge }, instances: 2 })
      const seen = new Map<string, number>()
      const look = async () => {
        const all = await client.fleet.instances({ worker: 'probe' })
        for (const { id } of all) if (!seen.has(id)) seen.set(id, performance.now())
        return all
      }
      await world.until(
        async () => (await look()).filter(({ state }) => state === 'registered').length === 2,
        'two instances are registered',
      )
      world.fault('both ask for no job any more, nor do those that replace them; one was replaced 5 min ago')
      const store = new Redis(redis.port)
      await store.hset('gone:{~fleet}:recycles', 'probe', Date.now() - 300_000)
      await store.quit()
      await writeFile(wedge, '')
      const rounds = names('round', 5)
      for (const round of rounds) await world.submit(facade, round, {})
      const isReplaced = (count: number) => async () => {
        await look()
        return seen.size >= 2 + count
      }
      await world.until(isReplaced(1), 'one is replaced', 60_000)
      await world.until(isReplaced(2), 'the other is replaced too', 60_000)
      const [, , firstMs = 0, secondMs = 0] = seen.values()
      world.claim(
        secondMs - firstMs > APART_MS,
        `the other was replaced ${Math.round(secondMs - firstMs)} ms after the first`,
      )
      const untilMs = performance.now() + 60_000
      while (performance.now() < untilMs) {
        await look()
        await world.pause(500)
      }
      world.claim(seen.size === 4, `${seen.size - 2} were replaced, and one before`)
      const isTold = async () => (await client.alerts({ state: 'open' })).some(({ kind }) => kind === 'stuck')
      await world.until(isTold, 'they are told of')
      await rm(wedge)
      await world.until(() => endsOf(world) >= rounds.length, 'all rounds have ended', 30_000)
      await world.until(async () => !(await isTold()), 'they are told of no more', 30_000)
    },
  },
  {
    name: 'rolling-under-load',
    proves:
      'a restart of three instances under 200 jobs/s and one of 20 s: nothing is lost or run twice, no attempt is spent, and never fewer than three are registered',
    run: (world) => restartThree(world),
  },
  {
    name: 'crash-loop',
    proves:
      'an instance that dies again and again is started at most five times, and its place is listed as crash-looping',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const fleet = createClient({ url: facade.url }).fleet
      await world.goneWork(redis, { env: LOCK, instances: 1 })
      const killed = new Set<string>()
      const isLooping = async () => {
        const all = await fleet.instances({})
        for (const { id, pid } of all.filter((one) => isNew(one, killed))) {
          killed.add(id)
          world.fault('SIGKILL of the instance as soon as it is there')
          process.kill(pid, 'SIGKILL')
        }
        return all.some(({ state }) => state === 'crash-looping')
      }
      await world.until(isLooping, 'the place is crash-looping', 40_000)
      await world.pause(3_000)
      await isLooping()
      world.claim(killed.size === 5, `${killed.size} instances were started`)
    },
  },
]

function endOf(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function isNew({ id, state }: InstanceJson, killed: ReadonlySet<string>): boolean {
  return state === 'registered' && !killed.has(id)
}

function startsOf(world: World) {
  return world.readEffects().filter(({ phase }) => phase === 'start')
}

/** Of each round where it was begun last. */
function lastStarts(world: World) {
  return [...new Map(startsOf(world).map((start) => [start.round, start])).values()]
}

function endsOf(world: World): number {
  return world.readEffects().filter(({ phase }) => phase === 'end').length
}
