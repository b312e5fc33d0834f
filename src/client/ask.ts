import { bodyText } from './body-text.ts'
import { type Call, type Reply, send, type TransportOptions } from './transport.ts'

export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A question about something else than a round: nobody's, and so safe to ask again. */
export interface Question {
  readonly method?: Call['method']
  readonly path: string
  readonly query?: Call['query']
  readonly body?: object
  readonly accepts?: readonly number[]
  /** A member that the answer has for sure. */
  readonly answers: string
  readonly signal: AbortSignal | undefined
  /** How long the server is asked to wait for something to answer. */
  readonly waitMs?: number
  /** Errors that are told at once, also where asking again might help. */
  readonly toldAtOnce?: Call['toldAtOnce']
  /** False where a second attempt would do it a second time. Default true. */
  readonly isRepeatable?: boolean
}

/** @throws GoneError as `send` does */
export function ask(transport: TransportOptions, question: Question): Promise<Reply> {
  const { method = 'GET', path, query = {}, body, accepts = [200], answers, signal, waitMs } = question
  return send(transport, {
    method,
    path,
    query,
    accepts,
    headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
    isAnswer: (json) => typeof json === 'object' && json !== null && Object.hasOwn(json, answers),
    isRepeatable: question.isRepeatable ?? true,
    ...(waitMs !== undefined && { waitMs }),
    ...(question.toldAtOnce && { toldAtOnce: question.toldAtOnce }),
    ...(body && { body: bodyText(body) }),
    ...(signal && { signal }),
  })
}

/** The most that the server gives at a time. */
const PAGE_SIZE = 1_000
/** A million: a server that never ends its list has a defect. */
const MAX_PAGES = 1_000

/**
 * The items of as many pages as there are, or the first `limit` of them.
 *
 * @param question `answers` is the member that has the items
 */
export async function askAll<Item>(
  transport: TransportOptions,
  question: Question,
  limit = Number.POSITIVE_INFINITY,
): Promise<readonly Item[]> {
  const all: Item[] = []
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES && all.length < limit; page++) {
    const query = { ...question.query, limit: String(Math.min(PAGE_SIZE, limit - all.length)), cursor }
    const json = (await ask(transport, { ...question, query })).json as Readonly<Record<string, unknown>>
    all.push(...(json[question.answers] as Item[]))
    if (json.next === undefined) break
    cursor = String(json.next)
  }
  return all
}
