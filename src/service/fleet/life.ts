import type { DeathCause } from '../../core/fleet/death.ts'
import type { InstanceFacts } from '../../core/fleet/instance.ts'
import type {
  Busy,
  Exit,
  FromInstance,
  InstanceListener,
  InstanceProcess,
  PlaceName,
  StartInstance,
} from '../../core/fleet/supervised.ts'
import { LogTail } from './log-tail.ts'

/** Why a supervisor ends an instance. */
export type EndCause = Exclude<DeathCause, 'crash'>

/** Five minutes of it, at one in five seconds. */
const MAX_SAMPLES = 60

const NOT_STARTED: InstanceProcess = { pid: -1, tell() {}, end() {}, kill() {}, async endLeft() {} }

/** One process of an instance, from its start to its end. */
export class Life {
  readonly startedAtMs: number
  /** When its event loop was last heard. */
  heardAtMs: number
  /** Missing until it begins to work. */
  facts: InstanceFacts | undefined
  locks: Readonly<Record<string, string>> = {}
  /** Its supervisor has said of it that its event loop does not answer. */
  isSilent = false
  /** It is being judged. */
  isHeeded = false
  /** Another is to be in its place. */
  isLeaving = false
  /** An order has it restarted, and waits for what becomes of that. */
  isAsked = false
  /** Until then nobody but an order has another in its place. */
  keptUntilMs = 0
  running = 0
  done = 0
  rssBytes = 0
  /** How busy it was, of late; missing until it says. */
  strain: Busy | undefined
  /** How much it had as it began to work. */
  baseBytes = 0
  /** The last that it has printed. */
  readonly tail: LogTail
  /** How much memory it had, of late. */
  readonly memory: { readonly atMs: number; readonly rssBytes: number }[] = []
  /** Missing: nobody here has asked it to end. */
  cause: EndCause | undefined
  exit: Exit | undefined
  readonly process: InstanceProcess
  /** Kept when it works, and when it ends before it does. */
  readonly begun: Promise<void>
  readonly ended: Promise<Exit>
  private isReady = false
  private readonly onIdle = new Set<() => void>()

  constructor(
    readonly place: PlaceName,
    start: StartInstance,
    private readonly parts: {
      readonly nowMs: () => number
      readonly onOrdered: (life: Life, how: 'restart' | 'stop') => void
    },
  ) {
    this.startedAtMs = parts.nowMs()
    this.heardAtMs = this.startedAtMs
    this.tail = new LogTail(parts.nowMs)
    let begin = () => {}
    let end = (_: Exit) => {}
    this.begun = new Promise((resolve) => {
      begin = resolve
    })
    this.ended = new Promise((resolve) => {
      end = resolve
    })
    const listener: InstanceListener = {
      onWord: (word) => {
        this.hear(word)
        if (word.kind === 'ready') begin()
      },
      onLine: (line, isError) => this.tail.add(line, isError),
      onEnd: (exit) => {
        this.exit = exit
        begin()
        this.tellIdle()
        end(exit)
      },
    }
    try {
      this.process = start(place, listener)
    } catch (error) {
      // Where the system has no memory for it, say: it is tried again, as what dies at once is.
      this.tail.add(String(error), true)
      this.process = NOT_STARTED
      queueMicrotask(() => listener.onEnd({ code: null, signal: null }))
    }
  }

  get works(): boolean {
    return this.isReady && this.exit === undefined
  }

  get hasWorked(): boolean {
    return this.isReady
  }

  /** @param rssBytes as the system has it; undefined: as the instance last said */
  sample(rssBytes = this.rssBytes): void {
    if (rssBytes <= 0) return
    this.memory.push({ atMs: this.parts.nowMs(), rssBytes })
    if (this.memory.length > MAX_SAMPLES) this.memory.shift()
  }

  /** Takes no more jobs; resolves when it runs none any more, or has ended. */
  rest(): Promise<void> {
    this.process.tell({ kind: 'rest' })
    if (this.exit) return Promise.resolve()
    return new Promise((resolve) => this.onIdle.add(resolve))
  }

  private hear(word: FromInstance): void {
    this.heardAtMs = this.parts.nowMs()
    switch (word.kind) {
      case 'begins':
        this.facts = word.facts
        this.locks = word.locks
        return
      case 'ready':
        this.isReady = true
        this.facts = word.facts
        this.rssBytes = word.rssBytes
        // It may die before it is asked again.
        this.sample()
        return
      case 'tick':
        this.facts = word.facts
        this.running = word.running
        this.done = word.done
        this.rssBytes = word.rssBytes
        this.strain = word.busy
        // What it had said before it rests says nothing of what it has taken since.
        if (word.facts.mode === 'stopping' && word.running === 0) this.tellIdle()
        return
      case 'ordered':
        this.parts.onOrdered(this, word.how)
    }
  }

  private tellIdle(): void {
    for (const tell of this.onIdle) tell()
    this.onIdle.clear()
  }
}
