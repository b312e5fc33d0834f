/** The end of a stream of bytes, in bounded memory. */
export class Tail {
  private kept: Buffer = Buffer.alloc(0)

  constructor(readonly maxBytes: number) {}

  add(chunk: Buffer): void {
    const last = chunk.subarray(-this.maxBytes)
    const room = this.maxBytes - last.length
    // `subarray(-0)` would be all of it.
    const before = this.kept.subarray(Math.max(0, this.kept.length - room))
    this.kept = Buffer.concat([before, last])
  }

  /** What is kept as text; a character that was cut in two is left out. */
  text(): string {
    let start = 0
    while (start < 3 && isContinuation(this.kept[start])) start += 1
    return this.kept.subarray(start).toString('utf8')
  }
}

/** One of several streams that share a tail. Whole lines go into it, so that no line of one stream is cut by another's. */
export class LinesInto {
  private partial: Buffer = Buffer.alloc(0)

  constructor(private readonly tail: Tail) {}

  add(chunk: Buffer): void {
    const joined = Buffer.concat([this.partial, chunk])
    const nextLine = joined.lastIndexOf('\n') + 1
    this.tail.add(joined.subarray(0, nextLine))
    this.partial = joined.subarray(nextLine).subarray(-this.tail.maxBytes)
  }

  /** The last line may have no end. */
  end(): void {
    if (this.partial.length > 0) this.add(Buffer.from('\n'))
  }
}

/** True for the second to fourth byte of a character in UTF-8. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}
