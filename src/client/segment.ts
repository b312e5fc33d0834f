import { GoneError } from '../errors.ts'

/** The server checks names; here is only what would not reach it, because URLs resolve or refuse it. */
export function segmentOf(part: 'system' | 'round' | 'name', value: string): string {
  const isLost = value === '' || value === '.' || value === '..' || !value.isWellFormed()
  if (!isLost) return encodeURIComponent(value)
  throw new GoneError('INVALID_IDENTIFIER', `${part}: expected a name, got ${JSON.stringify(value)}`)
}
