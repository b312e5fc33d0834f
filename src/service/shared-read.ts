/**
 * Reads once at a time for all who ask. Those who ask meanwhile share the next read: what has begun before may miss what they know,
 * and one each would keep this process from hearing the answers in time.
 */
export class SharedRead<T> {
  /** Settles with what is being read, whatever comes of it. */
  private reading: Promise<void> | undefined
  /** The one after it, not begun yet. */
  private upcoming: Promise<T> | undefined

  constructor(private readonly read: () => Promise<T>) {}

  /** What is so now or later. */
  next(): Promise<T> {
    if (this.upcoming) return this.upcoming
    if (!this.reading) return this.begin()
    this.upcoming = this.reading.then(() => this.begin())
    return this.upcoming
  }

  private begin(): Promise<T> {
    this.upcoming = undefined
    const read = this.read()
    const over = () => {
      this.reading = undefined
    }
    this.reading = read.then(over, over)
    return read
  }
}
