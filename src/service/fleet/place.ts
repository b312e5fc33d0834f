import type { PlaceMode } from '../../core/fleet/instance.ts'
import { type EndedLife, isSettled, livesToKeep, restartAfter } from '../../core/fleet/restart.ts'
import {
  type Exit,
  exitText,
  type PlaceName,
  type StartInstance,
  WITHOUT_STORE,
} from '../../core/fleet/supervised.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { callAfter, endsWithin } from '../../waiting.ts'
import { type EndCause, Life } from './life.ts'

export interface PlaceParts {
  readonly startInstance: StartInstance
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Has so few begin at once that each does soon; resolves when that which was given has ended. */
  readonly inTurn: (begin: () => Promise<void>) => Promise<void>
  /** An instance has ended, and not because it was to. */
  readonly onDeath: (life: Life) => void
  /** It is to be replaced by another, when its turn comes. */
  readonly onReplace: (place: Place, life: Life) => void
  /** Shows the place itself in the fleet, where it has no instance for long; undefined: no longer. */
  readonly show: (place: Place, mode: PlaceMode | undefined) => void
  /** How long its jobs may take to end where it is replaced or stopped by an order. */
  readonly drainMs: number
  /** How long it may take to end once it is asked to: it keeps to that itself, unless it hangs. */
  readonly endMs: number
}

/** Nothing takes longer to begin, unless it hangs. */
const BEGIN_WITHIN_MS = 60_000
/** What is tried is taken back within a minute, and all that follows takes a few seconds. */
const TRIED_BEGINS_WITHIN_MS = 45_000

/** How soon it is looked whether the store is there again. */
const STORE_AGAIN_MS = 3_000

/** What a supervisor keeps running: one instance after another, at the most two while one replaces the other. */
export class Place {
  life: Life | undefined
  /** It has worked at least once. */
  hasWorked = false
  private mode: 'running' | PlaceMode = 'running'
  private lives: readonly EndedLife[] = []
  private isEnding = false
  private isBeginning = false
  private isReplacing = false
  private callOff: () => void = () => {}
  /** Also those that are drained, and those that begin. */
  readonly alive = new Set<Life>()

  constructor(
    readonly name: PlaceName,
    private readonly parts: PlaceParts,
  ) {}

  /** Whether it has an instance that works, or why not. */
  get standing(): 'begins' | 'works' | PlaceMode {
    if (this.mode !== 'running') return this.mode
    return this.life?.works ? 'works' : 'begins'
  }

  /** Starts an instance, unless there is one. */
  start(): void {
    this.callOff()
    if (this.life || this.isBeginning || this.isReplacing || this.isEnding) return
    this.isBeginning = true
    void this.begin().then((life) => {
      this.isBeginning = false
      this.adopt(life)
    })
  }

  /** As `start`, because somebody says so: what was known of crashes is forgotten. */
  startAnew(): void {
    this.lives = []
    this.turn('running')
    this.start()
  }

  /** The same without what is there now and is no good: it ends before. */
  async startOver(): Promise<void> {
    this.callOff()
    const end = (life: Life) => (life.works ? this.retire(life, 'ordered') : this.finish(life, 'ordered'))
    await Promise.all([...this.alive].map(end))
    this.startAnew()
  }

  /** It has no instance until somebody says that it shall; returns when it has none. */
  async rest(): Promise<void> {
    this.callOff()
    this.turn('stopped')
    if (this.life) await this.retire(this.life, 'ordered')
  }

  /** As `end`, but jobs have the time that they have at an order. */
  async close(): Promise<void> {
    this.isEnding = true
    this.callOff()
    await Promise.all([...this.alive].map((life) => this.retire(life, 'ordered')))
    this.turn('running')
  }

  /** Ends all that runs here, for good. */
  async end(): Promise<void> {
    this.isEnding = true
    this.callOff()
    await Promise.all([...this.alive].map((life) => this.finish(life, 'supervisor stops')))
  }

  killAll(): void {
    for (const life of this.alive) life.process.kill()
  }

  /**
   * Starts another instance, and has that of now drained and ended once the other works.
   *
   * @param proofMs how long the other must live before that
   * @returns why it was not replaced; it goes on then
   */
  async replace(life: Life, cause: EndCause, proofMs = 0): Promise<string | undefined> {
    if (this.life !== life || this.isEnding || this.mode === 'stopped')
      return 'it is replaced already, or ends'
    this.isReplacing = true
    const next = await this.begin(proofMs > 0 ? TRIED_BEGINS_WITHIN_MS : BEGIN_WITHIN_MS)
    const hasDied = next.works && proofMs > 0 && (await endsWithin(proofMs, next.ended))
    this.isReplacing = false
    if (!next.works && this.life === life && !life.exit)
      return `its successor ${hasDied ? 'died soon' : 'did not begin'}: ${textOf(next)}`
    this.adopt(next)
    await this.retire(life, cause)
    return undefined
  }

  /** Is called all the time. */
  supervise(nowMs: number): void {
    if (this.mode === 'crash-looping' && this.life?.works && isSettled(this.life.startedAtMs, nowMs)) {
      this.parts.log.info({ place: this.name }, 'an instance that crashed again and again lives')
      this.turn('running')
    }
  }

  private async begin(withinMs = BEGIN_WITHIN_MS): Promise<Life> {
    let life: Life | undefined
    await this.parts.inTurn(async () => {
      const { startInstance, nowMs } = this.parts
      life = new Life(this.name, startInstance, { nowMs, onOrdered: (...told) => this.obey(...told) })
      this.alive.add(life)
      void this.follow(life)
      if (this.isEnding) life.process.kill()
      if (!(await endsWithin(withinMs, life.begun))) life.process.kill()
    })
    this.hasWorked ||= life?.works === true
    return life as unknown as Life
  }

  /** It is the instance of this place now. */
  private adopt(life: Life): void {
    this.life = life
    // It has ended before it was anything.
    if (life.exit) this.startAgain(life)
    else if (this.mode === 'stopped') void this.retire(life, 'ordered')
  }

  private async follow(life: Life): Promise<void> {
    const exit = await life.ended
    this.alive.delete(life)
    const { log, onDeath } = this.parts
    const about = {
      place: this.name,
      pid: life.process.pid,
      ...(life.facts && { instance: life.facts.id }),
    }
    if (isInOrder(life, exit))
      log.info({ ...about, exit: exitText(exit), cause: life.cause }, 'an instance has ended')
    else {
      log.warn({ ...about, exit: exitText(exit), cause: life.cause ?? 'crash' }, 'an instance died')
      // What has not come to the store is not listed there, and has taken nothing.
      if (!isWithoutStore(life)) onDeath(life)
    }
    if (this.life === life) this.startAgain(life)
  }

  private startAgain(life: Life): void {
    this.life = undefined
    if (this.isEnding || this.isReplacing || this.mode === 'stopped') return
    const { nowMs, random, log } = this.parts
    if (life.cause !== undefined && life.exit && isInOrder(life, life.exit)) {
      this.start()
      return
    }
    if (isWithoutStore(life)) {
      // It is no fault of what runs here.
      this.callOff = callAfter(STORE_AGAIN_MS, () => this.start())
      return
    }
    // What never worked has not lived, however long it took.
    const endedLife = { startedAtMs: life.hasWorked ? life.startedAtMs : nowMs(), endedAtMs: nowMs() }
    this.lives = livesToKeep([...this.lives, endedLife])
    const { pauseMs, isCrashLooping } = restartAfter(this.lives, random())
    if (isCrashLooping && this.mode !== 'crash-looping') {
      log.error({ place: this.name, ms: pauseMs }, 'instances die again and again; the next is tried later')
      this.turn('crash-looping')
    }
    this.callOff = callAfter(pauseMs, () => this.start())
  }

  private turn(mode: 'running' | PlaceMode): void {
    if (this.mode === mode) return
    this.mode = mode
    this.parts.show(this, mode === 'running' ? undefined : mode)
  }

  private obey(life: Life, how: 'restart' | 'stop'): void {
    if (how === 'restart') this.parts.onReplace(this, life)
    else void (this.life === life ? this.rest() : this.retire(life, 'ordered'))
  }

  private async retire(life: Life, cause: EndCause): Promise<void> {
    life.cause ??= cause
    await endsWithin(this.parts.drainMs, life.rest())
    await this.finish(life, cause)
  }

  private async finish(life: Life, cause: EndCause): Promise<void> {
    life.cause ??= cause
    if (!life.exit) life.process.end()
    if (!(await endsWithin(this.parts.endMs, life.ended))) life.process.kill()
    await life.ended
  }
}

/** True if it has ended because it did not reach the store. */
function isWithoutStore({ hasWorked, exit }: Life): boolean {
  return !hasWorked && exit?.code === WITHOUT_STORE
}

/** True if it has ended as it was asked to, and so has given back what it ran. */
function isInOrder({ cause }: Life, { code, signal }: Exit): boolean {
  if (cause === undefined) return false
  // It had not begun where the signal itself has ended it.
  return signal === null ? code !== 1 : signal === 'SIGTERM'
}

function textOf({ exit }: Life): string {
  return exit ? exitText(exit) : 'it takes too long'
}
