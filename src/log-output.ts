import { write, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Of what waits for a reader or a disk; lines that come beyond it are lost. */
const MAX_WAITING = 8_388_608
/** A piece is no larger than what Docker takes at once. */
const PIECE = 16_384
const AGAIN_MS = 100
/** At its end a process waits so long for a reader that takes nothing. */
const READER_MS = 5_000

/**
 * Where the lines of a log go. A disk that is full, a terminal that was closed, a reader that takes nothing: a log that cannot
 * be written ends no process, and keeps none from ending. What waits is tried again with each line that comes; where nothing
 * waits, a line is written before `write` returns, and is there to be read however the process dies.
 */
export class LogOutput {
  private readonly lines: string[] = []
  /** A terminal that a person holds (Ctrl-S) would hold the process as well. */
  private readonly mayBeHeld: boolean
  private waiting = 0
  private lost = 0
  private piece: Buffer = Buffer.alloc(0)
  private isWriting = false
  private again: NodeJS.Timeout | undefined

  /** @param onLost told how many lines were lost once lines are written again */
  constructor(
    private readonly fd: number,
    private readonly onLost: (lines: number) => void,
  ) {
    this.mayBeHeld = isatty(fd)
    process.once('exit', () => this.flushSync())
  }

  write(line: string): void {
    const isFirst = !this.isWriting && this.piece.length === 0 && this.lines.length === 0
    if (isFirst && !this.mayBeHeld) this.writeFirst(line)
    else if (this.waiting + line.length > MAX_WAITING) this.lost += 1
    else {
      this.lines.push(line)
      this.waiting += line.length
    }
    this.writeNext()
  }

  /** Writes what waits before it returns, or as much of it as can be written. */
  flushSync(): void {
    // One that is being written is not written twice.
    let rest = Buffer.concat([...(this.isWriting ? [] : [this.piece]), Buffer.from(this.take(this.waiting))])
    const untilMs = performance.now() + READER_MS
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.fd, rest))
      } catch (error) {
        if (!isBusy(error) || performance.now() > untilMs) break
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS)
      }
    }
    if (!this.isWriting) this.piece = rest
  }

  /** As much of it as is taken at once. What keeps the rest is told to who writes that. */
  private writeFirst(line: string): void {
    this.piece = Buffer.from(line)
    try {
      this.piece = this.piece.subarray(writeSync(this.fd, this.piece))
    } catch {}
  }

  private writeNext(): void {
    if (this.isWriting) return
    if (this.piece.length === 0) this.piece = Buffer.from(this.take(PIECE))
    if (this.piece.length === 0) {
      this.tellLost()
      return
    }
    this.isWriting = true
    write(this.fd, this.piece, (error, bytes) => {
      this.isWriting = false
      if (!error) {
        this.piece = this.piece.subarray(bytes)
        this.writeNext()
      } else if (isBusy(error)) this.writeLater()
      else if (error.code === 'EPIPE') this.forget()
    })
  }

  /** The oldest lines of such a length, and one at least. */
  private take(length: number): string {
    let [count, taken] = [0, 0]
    for (const line of this.lines) {
      if (count > 0 && taken + line.length > length) break
      count += 1
      taken += line.length
    }
    this.waiting -= taken
    return this.lines.splice(0, count).join('')
  }

  private writeLater(): void {
    this.again ??= setTimeout(() => {
      this.again = undefined
      this.writeNext()
    }, AGAIN_MS)
  }

  /** A reader that has gone does not come back. */
  private forget(): void {
    this.take(this.waiting)
    this.piece = Buffer.alloc(0)
    this.lost = 0
  }

  private tellLost(): void {
    const { lost } = this
    this.lost = 0
    if (lost > 0) this.onLost(lost)
  }
}

function isBusy(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EAGAIN' || code === 'EBUSY'
}
