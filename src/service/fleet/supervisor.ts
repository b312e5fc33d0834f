import { judgeUse, type Limits } from '../../core/fleet/limits.ts'
import type { PlaceName, StartInstance } from '../../core/fleet/supervised.ts'
import { Loop, type Work } from '../loop.ts'
import type { EndCause, Life } from './life.ts'
import { Place, type PlaceParts } from './place.ts'
import { type PressureParts, PressureWatch } from './pressure-watch.ts'

export interface SupervisorParts extends Omit<PlaceParts, 'inTurn' | 'onReplace'> {
  /** How many it has from its begin. */
  readonly instances: number
  /** How many may begin at once. */
  readonly beginAtOnce: number
  readonly limits: Limits
  readonly pressure: Omit<PressureParts, 'log'>
  /** How long an event loop may be silent. */
  readonly hungMs: number
  /** True if one of these may be ended that does not work. */
  readonly mayRecycle: (life: Life) => Promise<boolean>
  /** True if it takes none of the jobs that wait for it, as servers judge. */
  readonly isStuck: (life: Life) => Promise<boolean>
  /** Has the fleet hear that its event loop does not answer; or that it does. */
  readonly showSilent: (life: Life) => Promise<void>
  /** How much memory a process has; undefined where the system does not say. */
  readonly rssOf: (pid: number) => number | undefined
}

const TURN_EVERY_MS = 500
const SAMPLE_EACH = 10
/** Ticks come each second. */
const SILENT_MS = 5_000
/** Where this process itself stood still, it has heard of nobody. */
const OWN_GAP_MS = 3_000
const TRY_AGAIN_MS = 60_000

/** Keeps so many instances running. It knows of a death by the process' end, and runs no handler itself. */
export class Supervisor implements Work {
  places: readonly Place[]
  private readonly own: PlaceParts
  private readonly loop: Loop
  private readonly pressure: PressureWatch
  private readonly lanes: Promise<void>[]
  private replacing: Promise<unknown> = Promise.resolve()
  private turns = 0
  private turnedAtMs = Number.POSITIVE_INFINITY
  private isLimitTold = false
  private stopped: Promise<void> | undefined

  constructor(private readonly parts: SupervisorParts) {
    this.lanes = Array.from({ length: parts.beginAtOnce }, () => Promise.resolve())
    this.pressure = new PressureWatch({ ...parts.pressure, log: parts.log })
    this.own = {
      ...parts,
      inTurn: (begin) => this.inTurn(begin),
      onReplace: (place, life) => this.obeyInTurn(place, life),
    }
    this.places = Array.from({ length: parts.instances }, (_, index) => new Place(index + 1, this.own))
    this.loop = new Loop({
      everyMs: TURN_EVERY_MS,
      isEven: true,
      work: async () => this.turn(),
      putOff: (cause) => parts.log.error({ cause }, 'a defect of the supervisor'),
    })
  }

  start(): void {
    for (const place of this.places) place.start()
    this.loop.start()
  }

  /** Has one place more, with an instance that is started so. */
  keep(name: PlaceName, startInstance: StartInstance): Place {
    const place = new Place(name, { ...this.own, startInstance })
    this.places = [...this.places, place]
    if (!this.stopped) place.start()
    return place
  }

  /** Has that place no more: its instance ends when its jobs have. */
  async drop(place: Place): Promise<void> {
    await place.close()
    this.places = this.places.filter((one) => one !== place)
  }

  /**
   * Has another instance in the place of the one that is there, in turn.
   *
   * @param proofMs how long that must live before the one that is there ends
   * @returns why that goes on
   */
  renew(place: Place, proofMs: number): Promise<string | undefined> {
    const renewed = this.replacing.then(() => {
      const { life } = place
      return life ? this.replace(place, life, 'ordered', proofMs) : 'there is none now'
    })
    this.replacing = renewed
    return renewed
  }

  /** Ends all instances, at once, each with the time for its jobs that it has at any stop. */
  stop(): Promise<void> {
    this.stopped ??= this.end()
    return this.stopped
  }

  killAll(): void {
    for (const place of this.places) place.killAll()
  }

  /** How many work now. */
  get working(): number {
    return this.places.filter(({ life }) => life?.works).length
  }

  private async end(): Promise<void> {
    await this.loop.stop()
    await Promise.all(this.places.map((place) => place.end()))
  }

  private turn(): void {
    const { nowMs: clock, rssOf } = this.parts
    const nowMs = clock()
    const isGap = nowMs - this.turnedAtMs > OWN_GAP_MS
    this.turnedAtMs = nowMs
    const isDue = this.turns % SAMPLE_EACH === 0
    this.turns += 1
    for (const place of this.places) {
      place.supervise(nowMs)
      for (const life of place.alive) {
        if (!life.works) continue
        if (isGap) life.heardAtMs = nowMs
        this.pressure.note(life)
        if (isDue) life.sample(rssOf(life.process.pid))
        this.limit(place, life, rssOf(life.process.pid) ?? life.rssBytes, nowMs)
        // One that is drained has a time for that.
        if (life === place.life) this.heedOnce(place, life, isDue, nowMs)
      }
    }
  }

  /** The store may take its time, and limits do not wait for it. */
  private heedOnce(place: Place, life: Life, isDue: boolean, nowMs: number): void {
    if (life.isHeeded) return
    life.isHeeded = true
    void this.heed(place, life, isDue, nowMs)
      // What needs the store is done when it is there again.
      .catch((cause) => this.parts.log.debug({ place: place.name, cause: String(cause) }, 'not judged'))
      .finally(() => {
        life.isHeeded = false
      })
  }

  /** Ends an instance that uses more than it may, others before it where there is time. */
  private limit(place: Place, life: Life, rssBytes: number, nowMs: number): void {
    const { limits, log } = this.parts
    const baseBytes = life.memory[0]?.rssBytes ?? 0
    const use = {
      baseBytes: life.baseBytes || baseBytes,
      rssBytes,
      ageMs: nowMs - life.startedAtMs,
      jobs: life.done,
    }
    life.baseBytes = use.baseBytes
    const verdict = judgeUse(limits, use)
    if (verdict === undefined) return
    const about = { place: place.name, rssBytes, jobs: use.jobs, ageMs: Math.round(use.ageMs) }
    if (verdict.act === 'tell') {
      if (!this.isLimitTold)
        log.error(about, 'the memory limit is not above what an instance has as it begins: it is not applied')
      this.isLimitTold = true
    } else if (verdict.act === 'kill') {
      log.warn(about, 'an instance has all the memory that it may have')
      life.cause = 'memory'
      life.process.kill()
    } else if (life === place.life) this.replaceInTurn(place, life, verdict.cause)
  }

  /** Ends an instance that does not work: of a worker one at a time, and then it is only told. */
  private async heed(place: Place, life: Life, isDue: boolean, nowMs: number): Promise<void> {
    const { hungMs, mayRecycle, isStuck, showSilent, log } = this.parts
    const silentMs = nowMs - life.heardAtMs
    const isSilent = silentMs >= SILENT_MS
    if (life.isSilent !== isSilent) {
      life.isSilent = isSilent
      if (isSilent) log.warn({ place: place.name }, 'the event loop of an instance does not answer')
      await showSilent(life)
    } else if (isSilent && isDue) await showSilent(life)
    if (silentMs >= hungMs && (await mayRecycle(life))) {
      life.cause = 'unresponsive'
      life.process.kill()
    } else if (isDue && !isSilent && this.mayLeave(life) && (await isStuck(life)) && (await mayRecycle(life)))
      this.replaceInTurn(place, life, 'stuck')
    // Also of one that is to be replaced: until then it comes back where others are missing.
    else if (isDue && !isSilent) await this.pressure.heed(place.name, life, nowMs)
  }

  /** Many that begin at once would all take long. */
  private inTurn(begin: () => Promise<void>): Promise<void> {
    const [lane = Promise.resolve()] = this.lanes.splice(0, 1)
    const ended = lane.then(begin, begin)
    this.lanes.push(ended)
    return ended
  }

  /** One after the other, so that a restart of all of them is a rolling one. */
  private replaceInTurn(place: Place, life: Life, cause: EndCause): void {
    if (!this.mayLeave(life)) return
    life.isLeaving = true
    this.replacing = this.replacing.then(() =>
      // What was before it in the queue has replaced it already, or has failed, and answered who asked.
      place.life === life && life.isLeaving ? this.replace(place, life, cause) : undefined,
    )
  }

  /** Whoever orders it is not put off, and is answered by what is under way already. */
  private obeyInTurn(place: Place, life: Life): void {
    life.isAsked = true
    life.keptUntilMs = 0
    this.replaceInTurn(place, life, 'ordered')
  }

  private mayLeave({ isLeaving, keptUntilMs }: Life): boolean {
    return !isLeaving && this.parts.nowMs() >= keptUntilMs
  }

  /** @returns why it was not replaced */
  private async replace(
    place: Place,
    life: Life,
    cause: EndCause,
    proofMs?: number,
  ): Promise<string | undefined> {
    life.isLeaving = true
    const why = await place.replace(life, cause, proofMs).catch(String)
    if (why === undefined) return undefined
    life.isLeaving = false
    // One whose successor does not begin is not replaced again and again.
    life.keptUntilMs = this.parts.nowMs() + TRY_AGAIN_MS
    this.parts.log.warn({ place: place.name, cause, why }, 'an instance was not replaced')
    if (life.isAsked) life.process.tell({ kind: 'refused', why })
    life.isAsked = false
    return why
  }
}
