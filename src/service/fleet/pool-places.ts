import type { Pokes } from '../../core/fleet/fleet-ports.ts'
import {
  isSame,
  namedIn,
  type PlaceReport,
  type PoolPlace,
  type PoolState,
  type PoolSupervisor,
  placeName,
  type Runs,
} from '../../core/fleet/pool.ts'
import type { PoolStore } from '../../core/fleet/pool-ports.ts'
import { PROOF_MS } from '../../core/fleet/rollout.ts'
import type { InstanceListener, InstanceProcess } from '../../core/fleet/supervised.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { endsWithin, pause } from '../../waiting.ts'
import type { Work } from '../loop.ts'
import type { Place } from './place.ts'
import type { Supervisor } from './supervisor.ts'

export interface PoolPlacesParts {
  readonly id: string
  readonly pools: Omit<PoolStore, 'change'>
  readonly pokes: Pokes
  readonly supervisor: Pick<Supervisor, 'keep' | 'drop' | 'renew'>
  readonly startInstance: (place: string, runs: Runs, listener: InstanceListener) => InstanceProcess
  /** What is said of it, which may change: hosts get releases. Of releases all that are named here, however old. */
  readonly facts: (named: ReadonlySet<string>) => Promise<Omit<PoolSupervisor, 'id'>>
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** A place that this supervisor has. */
interface Held {
  readonly name: string
  readonly place: Place
  runs: Runs
  epoch: number
  /** What it runs is being changed. */
  isChanging: boolean
  /** Why what it was to run is not there. */
  why: string | undefined
}

const ATTEND_EVERY_MS = 2_000
/** While something of it is under way, for which others wait. */
const BUSY_EVERY_MS = 500
/** Who was silent for so long is lost, and its places are others'. */
const LEASE_MS = 10_000
const SUBSCRIBED_WITHIN_MS = 500
const PROVEN_WITHIN_MS = 90_000
const DEPART_MS = 2_000

/** Has this supervisor run what the pools have it run. Where the store is away it keeps what it has, and decides nothing. */
export class PoolPlaces implements Work {
  private readonly held = new Map<string, Held>()
  private readonly stopping = new AbortController()
  private wake = new AbortController()
  private running: Promise<void> | undefined
  private leavePokes: (() => void) | undefined
  private known = 0
  /** What is known could not all be done, and is to be looked at again. */
  private isStale = true
  private isHeard = true
  /** The releases that pools name. */
  private named: ReadonlySet<string> = new Set()

  constructor(private readonly parts: PoolPlacesParts) {}

  start(): void {
    this.running ??= this.run()
  }

  /** Says that its places may go to others; what runs here ends with the supervisor. */
  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return
    this.stopping.abort()
    this.wake.abort()
    await this.running
    this.leavePokes?.()
    // Others begin the sooner. Where it is not heard, they hear nothing of it any more.
    await endsWithin(DEPART_MS, this.parts.pools.depart(this.parts.id)).catch(() => undefined)
  }

  private async run(): Promise<void> {
    const { pokes, id } = this.parts
    const listening = pokes.listen(id, () => this.wake.abort())
    const left = listening.then((leave) => {
      this.leavePokes = leave
    })
    await endsWithin(SUBSCRIBED_WITHIN_MS, left).catch(() => undefined)
    while (!this.stopping.signal.aborted) {
      this.wake = new AbortController()
      await this.attend()
      const isBusy = [...this.held.values()].some((one) => one.isChanging || one.place.standing === 'begins')
      await pause(isBusy ? BUSY_EVERY_MS : ATTEND_EVERY_MS, this.wake.signal)
    }
  }

  private async attend(): Promise<void> {
    const { id, pools, facts, log } = this.parts
    try {
      const supervisor = { id, ...(await facts(this.named)) }
      const revision = await pools.attend({ supervisor, reports: this.reports() }, LEASE_MS)
      if (!this.isHeard) log.info({}, 'the pools hear of this supervisor again')
      this.isHeard = true
      if (revision === this.known && !this.isStale) return
      const state = await pools.read()
      this.noteNamed(state)
      this.follow(state)
    } catch (error) {
      if (this.isHeard)
        log.warn({ cause: String(error) }, 'the pools do not hear of this supervisor; it keeps what it has')
      this.isHeard = false
    }
  }

  private reports(): Readonly<Record<string, PlaceReport>> {
    return Object.fromEntries([...this.held.values()].map((one) => [one.name, reportOn(one)]))
  }

  /** Has what pools run, or go back to, looked up at once where it is not known. */
  private noteNamed(state: PoolState): void {
    const named = namedIn(state)
    if (![...named].every((name) => this.named.has(name))) this.wake.abort()
    this.named = named
  }

  /** Has what this state has here. */
  private follow(state: PoolState): void {
    const { id, log } = this.parts
    // A store that has lost everything has not said that nothing is to run here.
    const isLoss = state.revision < this.known && state.pools.length === 0
    if (isLoss && this.held.size > 0) {
      log.warn({}, 'the store has lost its pools; what runs here goes on until there are some again')
      return
    }
    this.known = state.revision
    this.isStale = false
    const own = state.places.filter(({ supervisor, from }) => supervisor === id || from === id)
    for (const place of own) if (place.supervisor === id) this.have(place)
    const names = new Set(own.map(placeName))
    for (const one of this.held.values()) if (!names.has(one.name)) this.drop(one)
  }

  private have(place: PoolPlace): void {
    const { supervisor, startInstance } = this.parts
    const name = placeName(place)
    const held = this.held.get(name)
    if (held) {
      this.renew(held, place)
      return
    }
    const one: Held = {
      name,
      place: supervisor.keep(name, (_, listener) => startInstance(name, one.runs, listener)),
      runs: place.runs,
      epoch: place.epoch,
      isChanging: false,
      why: undefined,
    }
    this.held.set(name, one)
  }

  private renew(held: Held, place: PoolPlace): void {
    if (held.epoch === place.epoch) return
    const isOther = !isSame(held.runs, place.runs)
    if (isOther && (held.isChanging || held.place.standing === 'begins')) {
      this.isStale = true
      return
    }
    held.epoch = place.epoch
    held.why = undefined
    if (!isOther) return
    held.isChanging = true
    void this.change(held, place)
      .catch(String)
      .then((why) => {
        held.why = why
        held.isChanging = false
        this.wake.abort()
      })
  }

  /** @returns why it does not run that */
  private async change(held: Held, { runs, isTried }: PoolPlace): Promise<string | undefined> {
    const { supervisor } = this.parts
    const { place, runs: before } = held
    const { life } = place
    held.runs = runs
    const isStopped = () => place.standing === 'stopped'
    if (isStopped()) return undefined
    if (place.standing === 'works') {
      const why = await supervisor.renew(place, isTried ? PROOF_MS : 0)
      // What somebody has stopped meanwhile has it when it is started.
      if (why === undefined || isStopped()) return undefined
      if (place.life === life) {
        held.runs = before
        return why
      }
    }
    // What was there is gone: what comes up now has that to itself.
    if (place.standing === 'crash-looping') await place.startOver()
    return this.proven(place)
  }

  private async proven(place: Place): Promise<string | undefined> {
    const { nowMs } = this.parts
    const untilMs = nowMs() + PROVEN_WITHIN_MS
    while (nowMs() < untilMs && !this.stopping.signal.aborted) {
      if (place.standing === 'crash-looping') return 'its instances die again and again'
      if (place.standing === 'stopped') return undefined
      const isOld = place.life !== undefined && nowMs() - place.life.startedAtMs > PROOF_MS
      if (place.standing === 'works' && isOld) return undefined
      await pause(BUSY_EVERY_MS, this.stopping.signal)
    }
    return 'it did not come up'
  }

  private drop(held: Held): void {
    this.held.delete(held.name)
    const { supervisor, log } = this.parts
    // Where the supervisor ends meanwhile, it ends this, too.
    void supervisor
      .drop(held.place)
      .catch((error: unknown) =>
        log.error({ place: held.name, cause: String(error) }, 'a place was not left'),
      )
  }
}

function reportOn({ epoch, why, isChanging, place }: Held): PlaceReport {
  if (why !== undefined) return { epoch, state: 'failed', why }
  return { epoch, state: isChanging ? 'begins' : place.standing }
}
