import type { RoundJson } from '../core/rounds/round-wire.ts'
import { bodyText } from './body-text.ts'
import { type Duration, durationMs } from './duration.ts'
import { segmentOf } from './segment.ts'
import { checkName, checkToken } from './token.ts'
import { type Call, type Reply, send, type TransportOptions } from './transport.ts'

/** What is asked on the wire: a candidate's word is a POST and shows its token, a reader's question is a GET. */
const VERBS = {
  elect: { method: 'POST', accepts: [202, 204] },
  complete: { method: 'POST', accepts: [200] },
  fail: { method: 'POST', accepts: [200] },
  renew: { method: 'POST', accepts: [200] },
  elected: { method: 'GET', accepts: [200, 204] },
  completed: { method: 'GET', accepts: [200, 204] },
  rounds: { method: 'GET', accepts: [200] },
  submit: { method: 'POST', accepts: [200, 202] },
  cancel: { method: 'POST', accepts: [200] },
  retry: { method: 'POST', accepts: [200] },
} as const satisfies Record<string, Pick<Call, 'method' | 'accepts'>>

/** Readers are nobody, and of these it does not matter who asks for them. */
const NOBODYS: ReadonlySet<keyof typeof VERBS> = new Set(['submit', 'cancel'])

interface RoundQuestion {
  readonly system: string
  readonly round: string
  readonly query?: Call['query']
  readonly body?: object
  readonly candidate?: string
  readonly name?: string
  readonly fence?: number
  readonly traceparent?: string
  readonly wait?: Duration
  readonly signal?: AbortSignal
}

/** Asks about rounds as the candidate of this token; `null` shows none. */
export function askerOf(transport: TransportOptions, ownToken: string | null) {
  checkToken(ownToken)

  return async (verb: keyof typeof VERBS, question: RoundQuestion): Promise<Reply> => {
    const { system, round, query, body, name, fence, traceparent, wait, signal } = question
    const isNobodys = VERBS[verb].method === 'GET' || NOBODYS.has(verb)
    const token = isNobodys ? null : (question.candidate ?? ownToken)
    checkToken(token)
    checkName(name)
    return send(transport, {
      ...VERBS[verb],
      path: `/api/v1/${verb}/${segmentOf('system', system)}/${segmentOf('round', round)}`,
      isAnswer: isRound,
      query: query ?? {},
      headers: {
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== null && { 'gone-candidate': token }),
        ...(name !== undefined && { 'gone-name': name }),
        ...(fence !== undefined && { 'gone-fence': String(fence) }),
        ...(traceparent !== undefined && { traceparent }),
      },
      isRepeatable: isNobodys || token !== null || fence !== undefined,
      ...(body && { body: bodyText(body) }),
      ...(wait !== undefined && { waitMs: durationMs('wait', wait) }),
      ...(signal && { signal }),
    })
  }
}

export type RoundAsker = ReturnType<typeof askerOf>

function isRound(json: unknown): json is RoundJson {
  if (typeof json !== 'object' || json === null) return false
  const { system, round, state } = json as Partial<Record<keyof RoundJson, unknown>>
  return [system, round, state].every((member) => typeof member === 'string')
}

export function roundOf({ json }: Pick<Reply, 'json'>): RoundJson | undefined {
  return json as RoundJson | undefined
}
