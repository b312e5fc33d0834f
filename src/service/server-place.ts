import { type EndedLife, isSettled, livesToKeep, restartAfter } from '../core/fleet/restart.ts'
import { type Exit, exitText } from '../core/fleet/supervised.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { FromServer, ServerProcess, StartServerProcess } from '../core/siblings.ts'
import { callAfter, endsWithin } from '../waiting.ts'

export interface ServerPlaceParts {
  readonly startProcess: StartServerProcess
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** How long one may take to end once it is told to: it keeps to that itself, unless it hangs. */
  readonly endMs: number
  readonly onWord: (process: ServerProcess, word: FromServer) => void
  readonly onEnd: (process: ServerProcess, exit: Exit) => void
}

/** Ticks come each second. */
const SILENT_MS = 5_000
/** Whoever is connected to one that hangs is not answered, so it is not waited for long. */
const HUNG_MS = 15_000
/** Nothing takes longer to begin, unless it hangs. */
const BEGIN_WITHIN_MS = 60_000
/** Also where it dies again and again: it may be all that answers. */
const AGAIN_AT_MOST_MS = 10_000

/** One of so many processes of a server: it is started again when it has ended, and ended when it hangs. */
export class ServerPlace {
  /** Where it serves; missing while it does not. */
  url: string | undefined
  process: ServerProcess | undefined
  private startedAtMs = 0
  private heardAtMs = 0
  private lives: readonly EndedLife[] = []
  private isCrashLooping = false
  private isEnding = false
  private ended: Promise<void> = Promise.resolve()
  private callOff: () => void = () => {}

  constructor(
    private readonly number: number,
    private readonly parts: ServerPlaceParts,
  ) {}

  start(): void {
    const { startProcess, nowMs, onWord } = this.parts
    this.startedAtMs = nowMs()
    this.heardAtMs = this.startedAtMs
    this.ended = new Promise((resolve) => {
      const process = startProcess({
        onWord: (word) => {
          this.heardAtMs = nowMs()
          if (word.kind === 'serves') {
            this.url = word.url
            // What it was told before it listened to its parent is lost.
            if (this.isEnding) process.tell({ kind: 'stop' })
          }
          onWord(process, word)
        },
        onEnd: (exit) => {
          resolve()
          this.onEnd(process, exit)
        },
      })
      this.process = process
    })
  }

  /** Is called all the time. @param isGap nobody could be heard meanwhile */
  check(nowMs: number, isGap: boolean): void {
    if (this.process === undefined) return
    if (isGap) this.heardAtMs = nowMs
    const { log } = this.parts
    const about = { place: this.number, pid: this.process.pid }
    if (this.url === undefined ? nowMs - this.startedAtMs >= BEGIN_WITHIN_MS : this.silentMs >= HUNG_MS) {
      log.error(about, 'a process of the server does not answer, and is ended')
      this.process.kill()
    } else if (this.isCrashLooping && isSettled(this.startedAtMs, nowMs)) {
      this.isCrashLooping = false
      log.info(about, 'a process that crashed again and again lives')
    }
  }

  /** It serves, as far as its callers know, and its event loop does not answer. */
  get isSilent(): boolean {
    return this.url !== undefined && this.silentMs >= SILENT_MS
  }

  /** Ends what runs here, for good. */
  async end(): Promise<void> {
    this.isEnding = true
    this.callOff()
    const { process } = this
    if (process === undefined) return
    process.tell({ kind: 'stop' })
    if (!(await endsWithin(this.parts.endMs, this.ended))) {
      this.parts.log.error(
        { place: this.number, pid: process.pid },
        'a process of the server did not end in time',
      )
      process.kill()
    }
    await this.ended
  }

  private get silentMs(): number {
    return this.parts.nowMs() - this.heardAtMs
  }

  private onEnd(process: ServerProcess, exit: Exit): void {
    this.process = undefined
    this.url = undefined
    this.parts.onEnd(process, exit)
    if (!this.isEnding) this.startAgain(process, exit)
  }

  private startAgain({ pid }: ServerProcess, exit: Exit): void {
    const { log, nowMs, random } = this.parts
    this.lives = livesToKeep([...this.lives, { startedAtMs: this.startedAtMs, endedAtMs: nowMs() }])
    const restart = restartAfter(this.lives, random())
    const { isCrashLooping } = restart
    const pauseMs = Math.min(restart.pauseMs, AGAIN_AT_MOST_MS)
    const about = { place: this.number, pid, exit: exitText(exit), ms: Math.round(pauseMs) }
    if (isCrashLooping)
      log.error(about, 'a process of the server dies again and again; the next is tried later')
    else log.warn(about, 'a process of the server has ended by itself; another is started')
    this.isCrashLooping ||= isCrashLooping
    this.callOff = callAfter(pauseMs, () => this.start())
  }
}
