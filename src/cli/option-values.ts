import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../core/duration.ts'

export function whole(text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected an integer.')
}

export function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms) return ms
  throw new InvalidArgumentError('expected a duration like 30s.')
}

export function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new InvalidArgumentError('expected JSON, such as \'{"rows":42}\'.')
  }
}

/** @example backoff('fixed:10s') */
export function backoff(text: string): { type: string; delay: string } {
  const [, type = '', delay = ''] = /^(fixed|exponential):(.+)$/.exec(text) ?? []
  if (parseDuration(delay) !== undefined) return { type, delay }
  throw new InvalidArgumentError('expected fixed:10s or exponential:1s.')
}
