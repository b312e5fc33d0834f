import { GoneError } from '../../errors.ts'
import type { Members } from '../expect.ts'
import { isWorkerName } from '../rounds/job.ts'
import type { SaidMark } from './series-ports.ts'

/** What fits beside a graph. */
export const MAX_MARK = 200

/** What is said of this moment. @throws GoneError `INVALID_BODY` */
export function readMark({ text, worker }: Members): Pick<SaidMark, 'text' | 'worker'> {
  if (typeof text !== 'string' || text.trim() === '' || text.length > MAX_MARK)
    throw invalid(`text: expected a text of 1 to ${MAX_MARK} characters, got ${shown(text)}`)
  if (worker === undefined) return { text }
  if (typeof worker === 'string' && isWorkerName(worker)) return { text, worker }
  throw invalid(`worker: expected the name of a worker, or none for all of them, got ${shown(worker)}`)
}

function shown(value: unknown): string {
  return typeof value === 'string' && value.length > MAX_MARK
    ? `${value.length}`
    : (JSON.stringify(value)?.slice(0, 64) ?? 'none')
}

function invalid(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}
