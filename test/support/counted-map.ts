/**
 * A Map that counts its steps as the engine's own table takes them: a deleted entry leaves a hole, which every walk
 * passes again until the table is made anew. An element's look-up is one step, so is each entry or hole that a walk passes.
 */
export class CountedMap<K, V> extends Map<K, V> {
  static steps = 0
  /** The keys in the order of the table, holes included. */
  private readonly table: (K | typeof HOLE)[]
  private readonly places: Map<K, number>
  private capacity = 4

  constructor(entries?: Iterable<readonly [K, V]> | null) {
    super()
    this.table = []
    this.places = new RealMap()
    for (const [key, value] of entries ?? []) this.set(key, value)
  }

  override get(key: K): V | undefined {
    CountedMap.steps += 1
    return super.get(key)
  }

  override has(key: K): boolean {
    CountedMap.steps += 1
    return super.has(key)
  }

  override set(key: K, value: V): this {
    CountedMap.steps += 1
    if (!this.places.has(key)) {
      if (this.table.length >= this.capacity) this.makeAnew()
      this.places.set(key, this.table.push(key) - 1)
    }
    return super.set(key, value)
  }

  override delete(key: K): boolean {
    CountedMap.steps += 1
    const place = this.places.get(key)
    if (place === undefined) return false
    this.table[place] = HOLE
    this.places.delete(key)
    return super.delete(key)
  }

  override *keys(): MapIterator<K> {
    for (const key of this.table) {
      CountedMap.steps += 1
      if (key !== HOLE) yield key
    }
  }

  /** As V8: without its holes where they are half of it, else with twice the room. */
  private makeAnew(): void {
    if (this.table.length - this.places.size < this.capacity / 2) this.capacity *= 2
    const kept = this.table.filter((key) => key !== HOLE)
    this.table.splice(0, this.table.length, ...kept)
    kept.forEach((key, place) => {
      this.places.set(key as K, place)
    })
  }
}

const HOLE = Symbol('a deleted entry')
const RealMap = Map
