import type { AlertState } from '../core/alerts/alert.ts'
import type { AlertJson } from '../core/alerts/alert-wire.ts'
import { askAll, type CallOptions } from './ask.ts'
import type { TransportOptions } from './transport.ts'

export interface AlertsOptions extends CallOptions {
  /** Only those that are open, or resolved. */
  readonly state?: AlertState
  /** Only those of this system. */
  readonly system?: string
  /** At most so many, the newest. Default 100. */
  readonly limit?: number
}

const LIMIT = 100

/** What is wrong and what was, newest first. */
export function alertsOn(
  transport: TransportOptions,
  { state, system, limit = LIMIT, signal }: AlertsOptions = {},
): Promise<readonly AlertJson[]> {
  const question = { path: '/api/v1/alerts', query: { state, system }, answers: 'alerts', signal }
  return askAll<AlertJson>(transport, question, limit)
}
