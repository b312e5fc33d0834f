import { availableParallelism, hostname } from 'node:os'
import { InvalidArgumentError } from 'commander'
import { lossOf } from '../core/exact-json.ts'
import * as expect from '../core/expect.ts'
import { parseDuration } from '../core/time/duration.ts'

/**
 * Reads an option by a rule. Commander shows the option's name and its value before the words.
 *
 * @param words what is expected; missing: as the rule says it
 */
export function by<T>(rule: expect.Rule<T>, words?: string): (text: string) => T {
  return (text) => {
    const value = rule.fromText(text)
    if (value !== undefined) return value
    throw new InvalidArgumentError(`expected ${words ?? rule.expected((example) => example, text)}.`)
  }
}

/** The server knows how large it may be. */
export const whole = by(expect.whole(0, Number.MAX_SAFE_INTEGER), 'an integer')

export const between = (min: number, max: number) => by(expect.whole(min, max))

/** @example decimal(0.01, 1_000)('1.5') */
export const decimal = (min: number, max: number) => (text: string) => {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value >= min && value <= max) return value
  throw new InvalidArgumentError(`expected a number from ${min} to ${max}.`)
}

const UNITS: Readonly<Record<string, number>> = { k: 1_024, m: 1_048_576, g: 1_073_741_824 }

/** @example bytes('512m') */
export function bytes(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([kmg])$/i.exec(text) ?? []
  if (count !== '' && Number(count) > 0) return Number(count) * (UNITS[unit.toLowerCase()] ?? 1)
  throw new InvalidArgumentError('expected a size like 512m or 2g.')
}

/** @example processCount('auto') // one for each core */
export function processCount(text: string): number {
  return text === 'auto' ? availableParallelism() : processes(text)
}

const MAX_PROCESSES = 64
const processes = by(expect.whole(1, MAX_PROCESSES), `an integer from 1 to ${MAX_PROCESSES}, or auto`)

export const milliseconds = (minMs: number, maxMs: number) => by(expect.span(minMs, maxMs))

export const duration = by(expect.span(1, Number.MAX_SAFE_INTEGER), 'a duration like 30s')

export function json(text: string): unknown {
  const value = parsed(text)
  const loss = lossOf(text, 'its value')
  if (loss !== undefined) throw new InvalidArgumentError(`${loss}.`)
  return value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new InvalidArgumentError('expected JSON, such as \'{"rows":42}\'.')
  }
}

/** @example backoff('fixed:10s') */
export function backoff(text: string): { type: 'fixed' | 'exponential'; delay: string } {
  const [, type = '', delay = ''] = /^(fixed|exponential):(.+)$/.exec(text) ?? []
  if (parseDuration(delay) !== undefined) return { type: type as 'fixed' | 'exponential', delay }
  throw new InvalidArgumentError('expected fixed:10s or exponential:1s.')
}

/** What this process is called where nobody says: its host and pid. */
export function ownName(): string {
  return `${
    hostname()
      .replace(/[^\x21-\x7e]/g, '')
      .slice(0, 80) || 'host'
  }:${process.pid}`
}
