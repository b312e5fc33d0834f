import { LOG_BYTES, LOG_LINES, MAX_LOG_LINE, type PrintedLine } from '../../core/fleet/instance-log.ts'

/** The last that an instance has printed, in bounded memory; what is older is forgotten, and missed by who has not read it. */
export class LogTail {
  private kept: PrintedLine[] = []
  private bytes = 0
  private count = 0

  /** @param nowMs a clock that never goes back */
  constructor(private readonly nowMs: () => number) {}

  add(text: string, isError: boolean): void {
    this.count += 1
    const line = { number: this.count, atMs: this.nowMs(), isError, text: text.slice(0, MAX_LOG_LINE) }
    this.kept.push(line)
    this.bytes += line.text.length
    // Not one by one: who prints without end would have all of them moved for each.
    if (this.kept.length > 2 * LOG_LINES || this.bytes > 2 * LOG_BYTES) this.cut()
  }

  /** How many lines it has printed. */
  get printed(): number {
    return this.count
  }

  last(most: number): readonly PrintedLine[] {
    return this.kept.slice(-most)
  }

  /** Lines from this number on, as many as come to so many bytes. */
  from(number: number, most: { readonly lines: number; readonly bytes: number }): readonly PrintedLine[] {
    this.cut()
    const begin = this.kept.findIndex((line) => line.number >= number)
    if (begin < 0) return []
    const found: PrintedLine[] = []
    let bytes = 0
    for (const line of this.kept.slice(begin, begin + most.lines)) {
      bytes += line.text.length
      if (bytes > most.bytes && found.length > 0) break
      found.push(line)
    }
    return found
  }

  private cut(): void {
    let [begin, bytes] = [Math.max(0, this.kept.length - LOG_LINES), 0]
    for (let at = this.kept.length - 1; at >= begin; at -= 1) {
      bytes += this.kept[at]?.text.length ?? 0
      if (bytes > LOG_BYTES) begin = at + 1
    }
    this.kept = this.kept.slice(begin)
    this.bytes = this.kept.reduce((sum, { text }) => sum + text.length, 0)
  }
}
