import { randomBytes } from 'node:crypto'
import { availableParallelism, cpus, hostname, loadavg } from 'node:os'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { InstanceFacts } from '../core/fleet/instance.ts'
import type { Runs } from '../core/fleet/pool.ts'
import type { Pressure, PressureLimits } from '../core/fleet/pressure.ts'
import type { PlaceName } from '../core/fleet/supervised.ts'
import { rssOf } from '../process/memory.ts'
import { BullHandBack } from '../queue/hand-back.ts'
import { Aftermath } from '../service/fleet/aftermath.ts'
import type { Life } from '../service/fleet/life.ts'
import { LogSender, type LogSenderParts } from '../service/fleet/log-sender.ts'
import { Supervisor } from '../service/fleet/supervisor.ts'
import { RedisFleet } from '../store/fleet/redis-fleet.ts'
import { RedisPokes } from '../store/fleet/redis-pokes.ts'
import { RedisLogs } from '../store/logs/redis-logs.ts'
import { nowMs } from './assembly.ts'
import { Closing } from './closing.ts'
import { type Lines, openLines, redisOfWorkers, type Surroundings } from './lines.ts'
import { PlaceRows } from './place-rows.ts'
import { openProbe } from './probe.ts'
import { type SpawnTerms, spawnInstance } from './spawn-instance.ts'
import { type PoolsTaken, takePools } from './take-pools.ts'

export interface SupervisorStart extends Surroundings, SpawnTerms {
  readonly log: Logger
  /** How many it keeps running, whatever the pools say. */
  readonly instances: number
  /** Missing: it takes no places of pools. */
  readonly pools?: PoolsTaken
  /** The names of the workers that there are for instances. */
  readonly workers: readonly string[]
  /** Hides in a line what nobody should read, before it is sent anywhere. */
  readonly redact: (text: string) => string
  /** Told where the first instances cannot begin, for a reason that the next would have too. */
  readonly onUnusable: () => void
  readonly probe?: number
  /** How long an event loop may be silent. */
  readonly hungMs: number
  readonly pressure: PressureTerms
}

/** When instances take no jobs for a while. */
export interface PressureTerms {
  readonly limits: PressureLimits
  /** How long it must last before it counts. */
  readonly lastMs: number
  /** How many others must take the jobs of each of its workers, on all hosts. */
  readonly minRegistered: number
}

export interface RunningSupervisor {
  /** Where it answers health checks. */
  readonly probe?: string
  stop(): Promise<void>
  killAll(): void
}

/** What an instance that finds its configuration wrong exits with. */
const UNUSABLE = 2
const DRAIN_MS = 60_000
/** As an instance has it by its own pulse. */
const LEASE_MS = 10_000
/** An instance keeps to GONE_SHUTDOWN itself, unless it hangs. */
const LATE_MS = 500

/** @throws GoneError with one line for the person who started it; nothing is left running then */
export async function startSupervisor(config: Config, start: SupervisorStart): Promise<RunningSupervisor> {
  const { log, workers } = start
  const id = randomBytes(6).toString('hex')
  const closing = new Closing()
  try {
    const lines = await openLines(config, await redisOfWorkers(config), start, closing)
    const fleet = new RedisFleet(lines.commands)
    const gate = lines.openGate(config.gateUrls)
    const handBack = new BullHandBack(lines.open('commands', 'hand-back'), (...of) => gate.releaseOf(...of))
    const pokes = new RedisPokes(lines.commands, lines.open('waiting', 'pokes'))
    const { release, region, hostLabel: host = hostname() } = config
    const labels = { workers, release, region, host }
    const nameOf = (place: PlaceName) => nameIn(id, place)
    /** What was started last in places of pools. */
    const runs = new Map<PlaceName, Runs>()
    const labelsOf = (place: PlaceName) => ({ ...labels, ...runs.get(place) })
    const rows = new PlaceRows({ fleet, pokes, log, labelsOf, nameOf })
    const aftermath = new Aftermath({
      fleet,
      handBack,
      factsOf: (life) => life.facts ?? { ...rows.factsOf(life.place, life.process.pid), mode: 'stopping' },
      log,
      nowMs,
    })
    const supervisor = makeSupervisor(config, start, { fleet, aftermath, rows, nameOf })
    if (start.pools) {
      const onStart = (place: PlaceName, own: Runs) => void runs.set(place, own)
      const own = { id, labels, pools: start.pools, spawn: start, onStart }
      takePools({ ...own, supervisor, lines, pokes, closing, log })
    }
    const lives = () => supervisor.places.flatMap((place) => [...place.alive])
    const sender = senderOf(start, { lines, pokes, lives })
    closing.add('work', () => supervisor.stop())
    // What instances say as they end is sent.
    closing.add('queues', () => sender.stop())
    closing.add('queues', () => rows.stop())
    closing.add('queues', async () => {
      await aftermath.stop()
      await handBack.stop()
    })
    const probe = start.probe === undefined ? undefined : await openProbe(start.probe, supervisor, closing)
    supervisor.start()
    sender.start()
    return {
      ...(probe !== undefined && { probe }),
      stop: () => closing.close(log),
      killAll: () => supervisor.killAll(),
    }
  } catch (error) {
    await closing.close(log)
    throw error
  }
}

function senderOf(
  { redact, log }: SupervisorStart,
  { lines, ...parts }: Pick<LogSenderParts, 'pokes' | 'lives'> & { readonly lines: Lines },
): LogSender {
  return new LogSender({
    logs: new RedisLogs(lines.commands),
    redact,
    log,
    nowMs,
    ...parts,
  })
}

interface MadeOf {
  readonly fleet: RedisFleet
  readonly aftermath: Aftermath
  readonly rows: PlaceRows
  readonly nameOf: (place: PlaceName) => string
}

function makeSupervisor(
  { shutdownMs }: Config,
  start: SupervisorStart,
  { fleet, aftermath, rows, nameOf }: MadeOf,
): Supervisor {
  const { instances, pools, limits, hungMs, pressure, log, onUnusable } = start
  let hasWorked = false
  const supervisor = new Supervisor({
    instances,
    beginAtOnce: availableParallelism(),
    log,
    nowMs,
    random: Math.random,
    startInstance: (place, listener) => spawnInstance(start, { place, name: nameOf(place), listener }),
    rssOf,
    limits,
    hungMs,
    pressure: {
      ...pressure,
      hostLoad,
      spare: ({ facts }, cause) =>
        facts === undefined
          ? Promise.resolve(false)
          : fleet.spare(pressedFacts(facts, cause), pressure.minRegistered, cause !== undefined),
    },
    mayRecycle: (life) => fleet.mayRecycle(namesOf(life)),
    isStuck: async (life) =>
      life.facts !== undefined && (await fleet.instance(life.facts.id)).instance?.stuckSinceMs !== undefined,
    showSilent: (life) => showSilent(fleet, life),
    onDeath(life) {
      aftermath.begin(life)
      hasWorked ||= supervisor.places.some((place) => place.hasWorked)
      // What pools have run may be another's mistake, and is to be something else soon.
      if (!pools && !hasWorked && life.exit?.code === UNUSABLE) onUnusable()
    },
    show: (place, mode) => rows.show(place, mode),
    drainMs: DRAIN_MS,
    endMs: shutdownMs + LATE_MS,
  })
  return supervisor
}

/** Numbers are of this supervisor alone, places of pools of the whole fleet. */
function nameIn(id: string, place: PlaceName): string {
  return typeof place === 'number' ? `${id}-${place}` : place
}

function namesOf({ facts }: Life): readonly string[] {
  return facts?.workers.map(({ name }) => name) ?? []
}

function pressedFacts(facts: InstanceFacts, cause: Pressure | undefined): InstanceFacts {
  return cause === undefined ? facts : { ...facts, mode: 'unregistered', pressure: cause }
}

/** In the mean of the last minute, as the system counts; 0 where it does not. */
function hostLoad(): number {
  const [lastMinute = 0] = loadavg()
  return lastMinute / Math.max(1, cpus().length)
}

/** Says of an instance what it cannot say itself; and once it can, it does. */
async function showSilent(fleet: RedisFleet, { facts, isSilent, process }: Life): Promise<void> {
  if (!isSilent) return process.tell({ kind: 'retell' })
  if (!facts) return
  await fleet.pulse([{ id: facts.id, facts: { ...facts, mode: 'unresponsive' }, known: 0 }], LEASE_MS)
}
