import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { AlertJson } from '../../src/core/alerts/alert-wire.ts'
import type { FleetEventsJson, InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { INSTANCE_STATES } from '../../src/core/fleet/instance.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { pause } from '../../src/waiting.ts'
import { SimulatedHosts } from '../../test/support/simulated-hosts.ts'
import { names } from '../load.ts'
import { startPython } from '../python.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

type Facade = Awaited<ReturnType<World['facade']>>
type Worker = Awaited<ReturnType<World['worker']>>

/** The lease, and a look each second. */
const LOST_WITHIN_MS = 12_000
const BACK_WITHIN_MS = 5_000
const HOUR_MS = 3_600_000
const ALL = { state: INSTANCE_STATES.join(',') }

/** What those may suffer whom the fleet lists. */
export const INSTANCES: readonly Scenario[] = [
  {
    name: 'instance-killed',
    proves:
      'an instance that is killed is lost within 12 s, whatever its clock says, its jobs are run elsewhere, and nobody else is taken for lost',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const victim = await world.worker(redis, { clockOffsetMs: HOUR_MS })
      const rounds = names('round', 5)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 2_000 })
      await whenStarted(world, rounds.length)
      const other = await world.worker(redis)
      await whenState(world, facade, other, 'registered')
      world.fault('SIGKILL of the instance that runs them all')
      await victim.kill()
      await whenState(world, facade, victim, 'lost', LOST_WITHIN_MS)
      await whenDone(world, rounds)
      world.claim((await stateOf(facade, other)) === 'registered', 'the other is not registered any more')
      await other.stop()
      await whenState(world, facade, other, 'ended', 1_000)
    },
  },
  {
    name: 'instance-stopped',
    proves:
      'an instance that is stopped is lost, told of as unresponsive and its jobs are run elsewhere; continued it is the same instance again',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const sleeper = await world.worker(redis)
      const rounds = names('round', 3)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 700 })
      await whenStarted(world, rounds.length)
      const before = await instanceOf(facade, sleeper)
      world.fault('SIGSTOP of the instance that runs them all')
      sleeper.pause()
      // Before the other is lost: whoever starts later takes its place, and then nothing is wrong.
      await world.worker(redis)
      await whenDone(world, rounds)
      await whenState(world, facade, sleeper, 'lost', LOST_WITHIN_MS)
      await world.until(() => isAlerted(facade, 'unresponsive', before?.id), 'it is told of as unresponsive')
      world.fault('SIGCONT')
      sleeper.resume()
      await whenState(world, facade, sleeper, 'registered', BACK_WITHIN_MS)
      world.claim((await instanceOf(facade, sleeper))?.id === before?.id, 'it is another instance now')
      await world.until(
        async () => !(await isAlerted(facade, 'unresponsive', before?.id)),
        'what was told of it is over',
      )
    },
  },
  {
    name: 'loop-blocked',
    proves:
      'an instance whose event loop is blocked vouches for itself by nothing: it is lost, and back with what it runs when the loop goes on',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const blocked = await world.worker(redis, { env: { CHAOS_LOCK: '30s' } })
      await whenState(world, facade, blocked, 'registered')
      world.fault('the event loop of an instance is blocked for 16 s')
      await world.submit(facade, 'blocks', { blocksMs: 16_000 })
      await whenStarted(world, 1)
      await whenState(world, facade, blocked, 'lost', LOST_WITHIN_MS)
      await whenDone(world, ['blocks'])
      await whenState(world, facade, blocked, 'registered', BACK_WITHIN_MS)
      world.claim(blocked.isAlive, 'that it was taken for lost has ended it')
    },
  },
  {
    name: 'fetch-wedged',
    proves:
      'an instance that says that it lives, has room and takes none of the jobs that wait is stuck within 45 s, and told of; where it takes them it is not',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const wedge = join(world.folder, 'wedged')
      const wedged = await world.worker(redis, { env: { CHAOS_WEDGE: wedge } })
      await world.submit(facade, 'before', {})
      await whenDone(world, ['before'])
      world.fault('the worker asks for no job any more')
      await writeFile(wedge, '')
      await world.submit(facade, 'waits', {})
      await world.pause(20_000)
      const early = await stateOf(facade, wedged)
      world.claim(early === 'registered', `after 20 s, which a slow job may take, it is ${early}`)
      await whenState(world, facade, wedged, 'stuck', 25_000)
      const id = (await instanceOf(facade, wedged))?.id
      await world.until(() => isAlerted(facade, 'stuck', id), 'it is told of as stuck')
      await rm(wedge)
      await whenDone(world, ['waits'])
      await whenState(world, facade, wedged, 'registered', 10_000)
    },
  },
  {
    name: 'host-cut-off',
    proves:
      'a host that is cut off from Redis is lost, keeps its processes, and is the same instances again within 5 s of the heal, with nothing run by two',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const wire = await world.proxy(redis.port)
      const cut = await world.worker({ url: wire.redisUrl })
      const rounds = names('round', 5)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 1_500 })
      await whenStarted(world, rounds.length)
      const before = await instanceOf(facade, cut)
      world.fault('the host is cut off for 20 s')
      wire.refuse()
      await world.worker(redis)
      await whenState(world, facade, cut, 'lost', LOST_WITHIN_MS)
      await whenDone(world, rounds)
      await world.pause(6_000)
      wire.heal()
      await whenState(world, facade, cut, 'registered', BACK_WITHIN_MS)
      const after = await instanceOf(facade, cut)
      world.claim(cut.isAlive && after?.id === before?.id, 'it is another instance now, or none')
      const more = names('more', 5)
      for (const round of more) await world.submit(facade, round, {})
      await whenDone(world, more)
    },
  },
  {
    name: 'host-deaf',
    proves:
      'a host that is not heard, with its connections up, is lost and comes back; an order whose permission it did not hear is obeyed once',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const client = clientOf(facade)
      const wire = await world.proxy(redis.port)
      const deaf = await world.worker({ url: wire.redisUrl })
      await whenState(world, facade, deaf, 'registered')
      world.fault('nothing of the host arrives for some 12 s')
      wire.drop('requests')
      await whenState(world, facade, deaf, 'lost', LOST_WITHIN_MS)
      wire.heal()
      await whenState(world, facade, deaf, 'registered', BACK_WITHIN_MS)
      const id = (await instanceOf(facade, deaf))?.id ?? ''
      world.fault('the wire is slow, and cut while it brings the permission to obey')
      wire.delay(400)
      const { id: order } = await client.fleet.order({
        do: 'unregister',
        select: { id },
        count: 1,
        atOnce: true,
      })
      const isAt = (outcome: string) => async () =>
        ((await client.fleet.orderOf(order))?.outcomes as Record<string, number> | undefined)?.[outcome] === 1
      await world.until(isAt('obeying'), 'it asks for the permission')
      wire.heal()
      await world.until(isAt('done'), 'the order is obeyed')
      await whenState(world, facade, deaf, 'unregistered', 3_000)
      await world.submit(facade, 'waits', {})
      await world.pause(2_000)
      world.claim(world.readEffects().length === 0, 'a job was started by one that is unregistered')
      await client.fleet.order({ do: 'register', select: { id }, count: 1 })
      await whenDone(world, ['waits'])
    },
  },
  {
    name: 'redis-outage-30s',
    proves:
      'after 30 s without Redis nobody is taken for lost, also not those who come back 5 s later than the servers; who does not come back is',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facade = await world.facade(redis)
      const worker = await world.worker(redis)
      const hosts = new SimulatedHosts(redis.url, 30)
      world.onEnd(() => hosts.stop())
      await hosts.start()
      await whenState(world, facade, worker, 'registered')
      world.fault('SIGKILL of Redis, for 30 s')
      hosts.silence(hosts.ids)
      await redis.kill()
      await world.pause(30_000)
      await redis.restart()
      const lost = await lostMeanwhile(world, facade, 5_000)
      hosts.unsilence()
      const dead = hosts.ids.slice(0, 3)
      hosts.silence(dead)
      lost.push(...(await lostMeanwhile(world, facade, 3_000)))
      world.claim(lost.length === 0, `taken for lost after the outage: ${[...new Set(lost)].join(', ')}`)
      await whenLost(world, facade, dead)
      await whenState(world, facade, worker, 'registered')
    },
  },
  {
    name: 'redis-restart-listener',
    proves:
      'who listens while Redis is killed three times and the server three times hears each change once, also where it begins in a storm of changes',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      let facade = await world.facade(redis)
      const hosts = new SimulatedHosts(redis.url, 600)
      world.onEnd(() => hosts.stop())
      await hosts.start()
      const ending = new AbortController()
      world.onEnd(() => ending.abort())
      const reader = countChanges(facade.url, ending.signal)
      // The SDK of the tree that is under test.
      const sdk = (await import(
        pathToFileURL(join(world.root, 'src/client/client.js')).href
      )) as typeof import('../../src/client/client.ts')
      const listeners = Array.from({ length: 8 }, async (_, n) => {
        await world.pause(1_000 + 1_000 * n)
        return listenTo(sdk.createClient({ url: facade.url, timeoutMs: 30_000 }), ending.signal)
      })
      const storm = (async () => {
        for (const [n, id] of hosts.ids.entries()) {
          await hosts.change(id)
          if (n % 2 === 0) await world.pause(25)
        }
      })()
      for (let kill = 0; kill < 3; kill += 1) {
        await world.pause(1_500)
        world.fault('SIGKILL of Redis')
        await redis.kill()
        await redis.restart()
        await world.pause(1_000)
        world.fault('SIGKILL of the server')
        const { port } = new URL(facade.url)
        await facade.kill()
        facade = await world.facade(redis, { port: Number(port) })
      }
      await storm
      const heard = await Promise.all(listeners)
      await Promise.all(
        heard.map((states) =>
          world.until(
            () => hosts.ids.every((id) => states.get(id) === hosts.modeOf(id)),
            'a listener has all as they are now',
          ),
        ),
      )
      const { missing, twice, resets } = reader
      const told = `of its changes ${missing} were left out, ${twice} told twice, ${resets} resets`
      world.claim(missing === 0 && twice === 0 && resets === 0, told)
      world.claim(reader.changes >= hosts.ids.length, `only ${reader.changes} changes were heard of`)
    },
  },
  {
    name: 'poke-lost',
    proves: 'orders whose poke is lost are obeyed within 3 s all the same, each once',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const client = clientOf(facade)
      world.fault('no poke arrives')
      const worker = await world.worker(redis, { env: { CHAOS_POKES: 'lost' } })
      await whenState(world, facade, worker, 'registered')
      const id = (await instanceOf(facade, worker))?.id ?? ''
      for (const verb of ['unregister', 'register', 'unregister', 'register'] as const) {
        await client.fleet.order({ do: verb, select: { id }, count: 1, atOnce: true })
        await whenState(world, facade, worker, `${verb}ed`, 3_000)
      }
    },
  },
  {
    name: 'order-late-host',
    proves:
      'an order that an instance could not obey in time has expired, and is not obeyed by one that comes back later',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const client = clientOf(facade)
      const late = await world.worker(redis)
      await whenState(world, facade, late, 'registered')
      const id = (await instanceOf(facade, late))?.id ?? ''
      world.fault('SIGSTOP of the instance, before it is told to stop')
      late.pause()
      const order = await client.fleet.order({
        do: 'stop',
        select: { id },
        count: 1,
        atOnce: true,
        within: '2s',
      })
      await world.until(
        async () => (await client.fleet.orderOf(order.id))?.outcomes.expired === 1,
        'the order has expired',
      )
      late.resume()
      await world.pause(5_000)
      world.claim(late.isAlive, 'it has obeyed an order whose time was over')
      await whenState(world, facade, late, 'registered', BACK_WITHIN_MS)
    },
  },
  {
    name: '1000-hosts',
    proves:
      'of a thousand hosts all are listed, and of 300 that fall silent at once each is lost within 12 s, and no other',
    async run(world) {
      const redis = await world.redis()
      const [facade] = (await world.facadesOn(2, redis)) as [Facade]
      const hosts = new SimulatedHosts(redis.url, 1_000)
      world.onEnd(() => hosts.stop())
      await hosts.start()
      const listed = await clientOf(facade).fleet.instances()
      world.claim(listed.length === 1_000, `of 1,000 hosts ${listed.length} are listed`)
      world.fault('300 hosts fall silent')
      const dead = hosts.ids.slice(100, 400)
      hosts.silence(dead)
      await whenLost(world, facade, dead)
      await world.pause(3_000)
      const lost = await lostNow(facade)
      world.claim(lost.length === dead.length, `${lost.length} hosts are lost`)
      hosts.unsilence()
      await world.until(async () => (await lostNow(facade)).length === 0, 'all are heard again')
    },
  },
  {
    name: 'no-false-alarm',
    proves:
      'two minutes of idle queues, jobs for later, a paused queue, one at its limit and long jobs in every slot, with a restart of Redis and a short stop: no alert',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const [facade] = (await world.facadesOn(2, redis)) as [Facade]
      const crew = { folder: 'chaos/crew' }
      const [, brief] = await Promise.all([world.goneWork(redis, crew), world.goneWork(redis, crew)])
      const resting = await world.goneWork(redis, crew)
      await whenState(world, facade, resting, 'registered')
      await clientOf(facade).fleet.order({
        do: 'unregister',
        select: { id: (await instanceOf(facade, resting))?.id ?? '' },
        count: 1,
      })
      const admin = new Redis(redis.url, { maxRetriesPerRequest: null })
      admin.on('error', () => undefined)
      const queueOf = (name: string) => {
        const queue = new Queue(name, { connection: admin, prefix: QUEUE_PREFIX })
        queue.on('error', () => undefined)
        return queue
      }
      const [paused, limited] = [queueOf('paused'), queueOf('limited')]
      await paused.pause()
      await limited.setGlobalConcurrency(1)
      const later = { delay: '1h' }
      for (const round of names('later', 20)) await ask(facade, round, 'delayed', {}, later)
      for (const round of names('paused', 20)) await ask(facade, round, 'paused', {})
      for (const round of names('limited', 5)) await ask(facade, round, 'limited', { sleepMs: 45_000 })
      // Twenty slots each, and ten jobs that find none.
      for (const round of names('long', 50)) await ask(facade, round, 'long', { sleepMs: 90_000 })
      const endMs = performance.now() + 120_000
      let [turn, isStopped, isRestarted] = [0, false, false]
      while (performance.now() < endMs) {
        await ask(facade, `busy-${turn}`, 'busy', { sleepMs: world.random.int(0, 200) })
        turn += 1
        await world.pause(150)
        const restMs = endMs - performance.now()
        if (restMs < 80_000 && !isRestarted) {
          isRestarted = true
          world.fault('Redis is restarted')
          await redis.restart()
        }
        if (restMs < 50_000 && !isStopped) {
          isStopped = true
          world.fault('SIGSTOP of an instance for 4 s')
          brief.pause()
          await world.pause(4_000)
          brief.resume()
        }
      }
      const reply = await fetch(`${facade.url}/api/v1/alerts`)
      const { alerts } = (await reply.json()) as { readonly alerts: readonly AlertJson[] }
      for (const { kind, name, detail } of alerts) world.claim(false, `told of ${kind}, ${name}: ${detail}`)
      await Promise.all([paused.close(), limited.close()])
      admin.disconnect()
    },
  },
  {
    name: 'python-worker',
    proves:
      'a Python worker that is killed is lost and its jobs are followed when their leases end; one that is stopped reports too late; one that is told to end gives back',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const [killed, stopped] = [startPython(world, facade.url), startPython(world, facade.url)]
      await whenPids(world, facade, [killed.pid, stopped.pid], 'registered')
      const rounds = names('round', 8)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 1_500 })
      await whenStarted(world, rounds.length)
      world.fault('SIGKILL of one, SIGSTOP of the other')
      killed.kill('SIGKILL')
      stopped.kill('SIGSTOP')
      const drained = startPython(world, facade.url, { GONE_DRAIN: '0.5', GONE_SLOTS: '8' })
      await whenStarted(world, 2 * rounds.length, 20_000)
      world.fault('SIGTERM of the third, which has half a second')
      drained.kill('SIGTERM')
      const [code] = (await once(drained, 'exit')) as [number | null]
      world.claim(code === 0, `it exited with ${code}`)
      startPython(world, facade.url, { GONE_SLOTS: '8' })
      await whenPids(world, facade, [killed.pid, stopped.pid], 'lost', LOST_WITHIN_MS)
      stopped.kill('SIGCONT')
      await whenPids(world, facade, [stopped.pid], 'registered', BACK_WITHIN_MS)
      await whenDone(world, rounds)
      await whenPids(world, facade, [drained.pid], 'ended')
    },
  },
]

/** Submits past the history, whose jobs have to end. */
async function ask(
  facade: Facade,
  round: string,
  worker: string,
  data: object,
  more: object = {},
): Promise<void> {
  await fetch(`${facade.url}/api/v1/submit/crew/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker, data, ...more }),
  }).catch(() => undefined)
}

function clientOf(facade: Facade): GoneClient {
  return createClient({ url: facade.url, timeoutMs: 20_000 })
}

/** Empty where it could not be told. */
async function listOf(facade: Facade): Promise<readonly InstanceJson[]> {
  return clientOf(facade)
    .fleet.instances(ALL)
    .catch(() => [])
}

async function instanceOf(facade: Facade, { pid }: Pick<Worker, 'pid'>): Promise<InstanceJson | undefined> {
  return (await listOf(facade)).find((one) => one.pid === pid)
}

async function stateOf(facade: Facade, worker: Worker): Promise<string | undefined> {
  return (await instanceOf(facade, worker))?.state
}

async function whenState(
  world: World,
  facade: Facade,
  worker: Worker,
  state: string,
  withinMs = 10_000,
): Promise<void> {
  await world.until(async () => (await stateOf(facade, worker)) === state, `it is ${state}`, withinMs)
}

async function whenPids(
  world: World,
  facade: Facade,
  pids: readonly (number | undefined)[],
  state: string,
  withinMs?: number,
): Promise<void> {
  const areSo = async () => {
    const list = await listOf(facade)
    return pids.every((pid) => list.find((one) => one.pid === pid)?.state === state)
  }
  await world.until(areSo, `${pids.length} Python workers are ${state}`, withinMs)
}

async function isAlerted(facade: Facade, kind: string, name: string | undefined): Promise<boolean> {
  const reply = await fetch(`${facade.url}/api/v1/alerts?state=open`)
  const { alerts } = (await reply.json()) as {
    readonly alerts: readonly { readonly kind: string; readonly name: string }[]
  }
  return alerts.some((one) => one.kind === kind && one.name === name)
}

async function lostNow(facade: Facade): Promise<readonly string[]> {
  const list = await clientOf(facade)
    .fleet.instances({ state: 'lost' })
    .catch(() => [])
  return list.map(({ id }) => id)
}

async function lostMeanwhile(world: World, facade: Facade, ms: number): Promise<string[]> {
  const lost: string[] = []
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    lost.push(...(await lostNow(facade)))
    await world.pause(200)
  }
  return lost
}

async function whenLost(world: World, facade: Facade, ids: readonly string[]): Promise<void> {
  await world.until(
    async () => {
      const lost = new Set(await lostNow(facade))
      return ids.every((id) => lost.has(id))
    },
    `${ids.length} hosts are lost`,
    LOST_WITHIN_MS + 3_000,
  )
}

/** Asks for what has changed, page after page, and counts: changes have numbers without a gap. */
function countChanges(url: string, signal: AbortSignal) {
  const counted = { changes: 0, missing: 0, twice: 0, resets: 0 }
  const ask = async (query: string) => {
    const reply = await fetch(`${url}/api/v1/fleet/events${query}`, { signal })
    if (!reply.ok) throw new Error(`answered ${reply.status}`)
    return (await reply.json()) as FleetEventsJson
  }
  const numberIn = (at: string) => Number(at.split('.')[1])
  void (async () => {
    let at: string | undefined
    while (!signal.aborted) {
      const answer = await ask(at === undefined ? '' : `?after=${at}&wait=2s`).catch(() => pause(100))
      if (answer && at !== undefined) {
        const passed = numberIn(answer.at) - numberIn(at)
        counted.changes += answer.events.length
        counted.missing += Math.max(0, passed - answer.events.length)
        counted.twice += Math.max(0, answer.events.length - passed)
        counted.resets += answer.reset ? 1 : 0
      }
      // What it has missed it will not hear any more: it begins anew.
      if (answer) at = answer.reset ? undefined : answer.at
    }
  })()
  return counted
}

/** What a listener has of each instance, as it hears it. */
function listenTo(client: GoneClient, signal: AbortSignal): Map<string, string> {
  const states = new Map<string, string>()
  void (async () => {
    try {
      for await (const news of client.fleet.listen(ALL, { signal })) {
        if (news.kind === 'snapshot') {
          states.clear()
          for (const one of news.instances) states.set(one.id, one.state)
        } else if (news.instance) states.set(news.id, news.instance.state)
        else states.delete(news.id)
      }
    } catch (error) {
      states.set('ended', String(error))
    }
  })()
  return states
}

async function whenStarted(world: World, count: number, withinMs?: number): Promise<void> {
  await world.until(
    () => world.readEffects().filter(({ phase }) => phase === 'start').length >= count,
    `${count} jobs are started`,
    withinMs,
  )
}

async function whenDone(world: World, rounds: readonly string[]): Promise<void> {
  await world.until(
    () => {
      const effects = world.readEffects()
      return rounds.every((round) => effects.some((one) => one.round === round && one.phase === 'end'))
    },
    `${rounds.length} jobs have ended`,
    25_000,
  )
}
