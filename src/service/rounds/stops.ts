/** Those who want to hear of one signal; a place that is free holds none. */
interface Hearers {
  readonly places: ((() => void) | undefined)[]
  readonly free: number[]
}

/**
 * Calls many when a signal is aborted, through one listener for all of them. The platform keeps listeners in a list, and a Set in tables,
 * of which each that is outgrown holds the next: once one of them is old, what thousands of jobs a second held would all grow old with it.
 */
export class Stops {
  private readonly heard = new WeakMap<AbortSignal, Hearers>()

  /** Calls `act` when it is aborted from now on. @returns what calls it off, once */
  on(signal: AbortSignal, act: () => void): () => void {
    const { places, free } = this.hearersOf(signal)
    const place = free.pop() ?? places.length
    places[place] = act
    return () => {
      places[place] = undefined
      free.push(place)
    }
  }

  private hearersOf(signal: AbortSignal): Hearers {
    const known = this.heard.get(signal)
    if (known) return known
    const hearers: Hearers = { places: [], free: [] }
    signal.addEventListener('abort', () => {
      for (const act of [...hearers.places]) act?.()
    })
    this.heard.set(signal, hearers)
    return hearers
  }
}
