import { formatDuration, parseDuration } from '../../src/core/time/duration.ts'

/** An object from outside, read member by member. What is wrong with a member is an error that names it. */
export class Fields {
  private readonly members: ReadonlyMap<string, unknown>

  /**
   * @param name how messages call the object: `data`
   * @param known the members it may have; another is taken for a typing error
   * @param toError makes the error that is thrown
   */
  constructor(
    private readonly name: string,
    value: unknown,
    known: readonly string[],
    private readonly toError: (message: string) => Error,
  ) {
    if (!isObject(value))
      throw toError(`${name}: expected an object with ${known.join(', ')}, got ${kind(value)}`)
    this.members = new Map(Object.entries(value))
    const unknown = [...this.members.keys()].find((key) => !known.includes(key))
    if (unknown !== undefined) {
      throw toError(`${name}.${unknown}: no such member; the members are ${known.join(', ')}`)
    }
  }

  any(key: string): unknown {
    return this.members.get(key)
  }

  text(key: string): string | undefined {
    const value = this.any(key)
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    throw this.wrong(key, `expected a text, got ${value === '' ? 'an empty one' : kind(value)}`)
  }

  flag(key: string): boolean | undefined {
    const value = this.any(key)
    if (value === undefined || typeof value === 'boolean') return value
    throw this.wrong(key, `expected true or false, got ${kind(value)}`)
  }

  texts(key: string): readonly string[] | undefined {
    const value = this.any(key)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
    throw this.wrong(key, `expected a list of texts, got ${kind(value)}`)
  }

  textMap(key: string): Readonly<Record<string, string>> | undefined {
    const value = this.any(key)
    if (value === undefined) return undefined
    if (!isObject(value)) throw this.wrong(key, `expected an object of texts, got ${kind(value)}`)
    for (const [name, text] of Object.entries(value)) {
      if (typeof text !== 'string') throw this.wrong(`${key}.${name}`, `expected a text, got ${kind(text)}`)
    }
    return value as Record<string, string>
  }

  /** The ms of a duration from 1 ms to `maxMs`. */
  durationMs(key: string, maxMs: number): number | undefined {
    const value = this.any(key)
    if (value === undefined) return undefined
    const ms = typeof value === 'string' ? parseDuration(value) : undefined
    if (ms !== undefined && ms >= 1 && ms <= maxMs) return ms
    const shown = typeof value === 'string' ? `"${value.slice(0, 32)}"` : kind(value)
    throw this.wrong(key, `expected a duration like "30s", up to ${formatDuration(maxMs)}, got ${shown}`)
  }

  /** An error about one member. Its value is not shown: it may be a secret. */
  wrong(key: string, what: string): Error {
    return this.toError(`${this.name}.${key}: ${what}`)
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kind(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
