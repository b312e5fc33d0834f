import { GoneError } from '../../errors.ts'
import { oneOf, span, takeJson, whole } from '../expect.ts'
import { MAX_REASON } from '../rounds/limits.ts'
import { ORDER_VERBS, type OrderTask } from './order.ts'
import { readSelection, SELECTION_FIELDS, type Selection } from './selection.ts'

/** What an order's body asks for. */
export interface OrderAsk {
  readonly task: Omit<OrderTask, 'order'>
  readonly selection: Selection
  readonly isAll: boolean
  readonly count?: number
  /** Which instances were shown, by their ids. */
  readonly shown?: readonly string[]
  readonly isAtOnce: boolean
  readonly isDryRun: boolean
  readonly reason: string
  readonly withinMs: number
}

const WITHIN_MS = 60_000

/** @throws GoneError `INVALID_BODY`, `INVALID_PARAMETER` for what is selected by */
export function readOrder(body: Readonly<Record<string, unknown>>): OrderAsk {
  const { count, within, reason = '', worker, slots } = body
  const verb = takeJson('do', oneOf(ORDER_VERBS), body.do, invalid)
  const isConcurrency = verb === 'concurrency'
  if (!isConcurrency && (worker !== undefined || slots !== undefined))
    throw invalid(`worker and slots: expected with do: "concurrency" alone, got do: "${verb}"`)
  if (typeof reason !== 'string' || reason.length > MAX_REASON)
    throw invalid(`reason: expected a text of up to ${MAX_REASON} characters`)
  if (worker !== undefined && typeof worker !== 'string')
    throw invalid('worker: expected the name of a worker')
  return {
    task: {
      verb,
      ...(isConcurrency && { slots: takeJson('slots', whole(1, 10_000), slots, invalid) }),
      ...(worker !== undefined && { worker }),
    },
    selection: selectionIn(body.select),
    isAll: truth('all', body.all),
    ...(count !== undefined && { count: takeJson('count', whole(1, 1_000_000), count, invalid) }),
    ...(body.instances !== undefined && { shown: idsIn(body.instances) }),
    isAtOnce: truth('atOnce', body.atOnce),
    isDryRun: truth('dryRun', body.dryRun),
    reason,
    withinMs: within === undefined ? WITHIN_MS : takeJson('within', span(1_000, 3_600_000), within, invalid),
  }
}

function idsIn(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((id) => typeof id === 'string')) return value
  throw invalid('instances: expected a list of the ids of those that were shown')
}

function selectionIn(value: unknown): Selection {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`select: expected an object of ${SELECTION_FIELDS.join(', ')}`)
  const wrong = Object.entries(value).find(([, text]) => typeof text !== 'string')
  if (wrong) throw invalid(`select.${wrong[0]}: expected a text such as "mailer" or "mail-*,report"`)
  return readSelection(value as Record<string, string>)
}

function truth(name: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true
  throw invalid(`${name}: expected true or false, got ${JSON.stringify(value)}`)
}

function invalid(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}
