import { callAfter } from '../waiting.ts'

/** How much of a stream is read as lines in a second; what is more is counted and left out. */
const MOST_BYTES_EACH_S = 4 * 1_048_576
/** A line that is longer is cut here. */
const MAX_LINE_BYTES = 65_536

/** Reads a stream line by line, in bounded memory and processor time: who prints without end slows nobody. */
export class LineReader {
  private partial: Buffer = Buffer.alloc(0)
  private second = 0
  private taken = 0
  private dropped = 0

  /** @param nowMs a clock that never goes back */
  constructor(
    private readonly onLine: (line: string) => void,
    private readonly nowMs: () => number,
  ) {}

  add(chunk: Buffer): void {
    const second = Math.floor(this.nowMs() / 1_000)
    if (second !== this.second) {
      this.second = second
      this.taken = 0
      this.tellDropped()
    }
    if (this.taken >= MOST_BYTES_EACH_S) {
      // Nothing may come after it.
      if (this.dropped === 0) callAfter(1_000, () => this.tellDropped())
      this.dropped += chunk.length
      return
    }
    this.taken += chunk.length
    this.read(chunk)
  }

  /** The last line may have no end. */
  end(): void {
    this.tellDropped()
    if (this.partial.length > 0) this.onLine(this.partial.toString('utf8'))
    this.partial = Buffer.alloc(0)
  }

  private read(chunk: Buffer): void {
    const bytes = this.partial.length === 0 ? chunk : Buffer.concat([this.partial, chunk])
    let start = 0
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, start)) {
      this.onLine(bytes.subarray(start, at).toString('utf8'))
      start = at + 1
    }
    // A copy, so that a little of a chunk does not keep the whole of it.
    this.partial = Buffer.from(bytes.subarray(start))
    if (this.partial.length <= MAX_LINE_BYTES) return
    this.onLine(this.partial.toString('utf8'))
    this.partial = Buffer.alloc(0)
  }

  private tellDropped(): void {
    if (this.dropped === 0) return
    // What came before and after is no line any more.
    if (this.partial.length > 0) this.onLine(this.partial.toString('utf8'))
    this.partial = Buffer.alloc(0)
    this.onLine(`… ${this.dropped} bytes were left out here: more than ${MOST_BYTES_EACH_S} in a second`)
    this.dropped = 0
  }
}
