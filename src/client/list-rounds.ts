import type { RoundState } from '../core/rounds/record.ts'
import type { RoundJson, TallyJson } from '../core/rounds/round-wire.ts'
import { ask, askAll, type CallOptions } from './ask.ts'
import { type Time, timeText } from './time.ts'
import type { TransportOptions } from './transport.ts'

/** Which rounds; what is missing fits all. */
export interface RoundsOptions extends CallOptions {
  /** Only those of this system. */
  readonly system?: string
  /** Only those in this state. */
  readonly state?: RoundState
  /** Only those that were submitted to this worker. */
  readonly worker?: string
  /** Only those whose name has this text, in whatever case. */
  readonly text?: string
  /** Only those whose leader has this text in its address. */
  readonly leader?: string
  /** Only what came then or later. */
  readonly from?: Time
  /** Only what came then or earlier. */
  readonly to?: Time
  /** At most so many, the newest. Default 100. */
  readonly limit?: number
}

export type TallyOptions = Omit<RoundsOptions, 'state' | 'to' | 'limit'>

/** At most so many where nobody says how many. */
export const LIMIT = 100

/** Rounds, newest first. */
export async function listRounds(
  transport: TransportOptions,
  { system, state, worker, text, leader, from, to, limit = LIMIT, signal }: RoundsOptions = {},
): Promise<readonly RoundJson[]> {
  const times = { from: timeText('from', from), to: timeText('to', to) }
  const query = { system, state, worker, q: text, leader, ...times }
  return askAll<RoundJson>(transport, { path: '/api/v1/rounds', query, answers: 'rounds', signal }, limit)
}

/** The newest rounds, counted. */
export async function tallyRounds(
  transport: TransportOptions,
  { system, worker, text, leader, from, signal }: TallyOptions = {},
): Promise<TallyJson> {
  const query = { system, worker, q: text, leader, from: timeText('from', from) }
  const path = '/api/v1/rounds/tally'
  return (await ask(transport, { path, query, answers: 'counts', signal })).json as TallyJson
}
