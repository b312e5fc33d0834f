import type { FastifyReply, FastifyRequest } from 'fastify'
import { isVacant, type RoundState, type SeenRecord, stateOf } from '../core/rounds/record.ts'
import type { RoundId } from '../core/rounds/round.ts'
import type { Sighting } from '../core/rounds/round-ports.ts'
import { ledRoundJson } from '../core/rounds/round-wire.ts'
import { wantsJson } from './requests.ts'

/** What the headers of a reply tell of a round. The state is missing where the record was not asked for it. */
export interface ToldRound {
  readonly leader: string
  readonly fence: number
  readonly state?: RoundState
}

declare module 'fastify' {
  interface FastifyReply {
    /** What its headers tell of a round. */
    told: ToldRound | undefined
  }
}

/** What a record tells. */
export function toldOf({ record, nowMs }: SeenRecord): ToldRound {
  return { leader: record.leader, fence: record.fence, state: stateOf(record, nowMs) }
}

/** What was seen of a round tells, if somebody leads it or has led it to its end. */
export function toldOfSeen({ record, nowMs }: Omit<Sighting, 'submission'>): ToldRound | undefined {
  return record === undefined || isVacant(record) ? undefined : toldOf({ record, nowMs })
}

/** Answers with a status and what is known of the round in headers, and no body. */
export function sendStatus(reply: FastifyReply, status: number, told?: ToldRound): void {
  if (told) sendRaw(reply, status, told)
  else head(reply, status).send()
}

/** Answers 200 with a text that is ASCII, and what is known of the round in headers. */
export function sendText(reply: FastifyReply, text: string, told: ToldRound): void {
  sendRaw(reply, 200, told, text)
}

/** Like `sendStatus`, with the whole record for whoever accepts JSON, else the text. */
export function sendRecord(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  answer: SeenRecord & { readonly id: RoundId; readonly text?: string },
): void {
  const { id, record, nowMs, text } = answer
  const told = toldOf(answer)
  if (wantsJson(request)) sendJson(reply, status, ledRoundJson(id, record, nowMs), told)
  else sendRaw(reply, status, told, text)
}

/**
 * Answers past Fastify, which would spend as long on the headers as the rest of a loser's answer takes. Nothing of it is
 * needed here: no hook looks at a reply's headers, and the text is ASCII.
 */
function sendRaw(reply: FastifyReply, status: number, told: ToldRound, text?: string): void {
  const { leader, fence, state } = told
  reply.told = told
  const headers = ['cache-control', 'no-store', 'gone-leader', leader, 'gone-fence', String(fence)]
  if (state !== undefined) headers.push('gone-state', state)
  if (text !== undefined) headers.push('content-type', 'text/plain; charset=utf-8')
  if (status !== 204) headers.push('content-length', String(text?.length ?? 0))
  reply.hijack()
  reply.raw.writeHead(status, headers)
  if (text === undefined) reply.raw.end()
  else reply.raw.end(text, 'latin1')
}

export function sendJson(reply: FastifyReply, status: number, body: unknown, told?: ToldRound): void {
  head(reply, status, told).header('content-type', JSON_TYPE).send(JSON.stringify(body))
}

const JSON_TYPE = 'application/json; charset=utf-8'

function head(reply: FastifyReply, status: number, told?: ToldRound): FastifyReply {
  reply.code(status).header('cache-control', 'no-store')
  if (told) {
    reply.told = told
    reply.header('gone-leader', told.leader)
    reply.header('gone-fence', told.fence)
    if (told.state !== undefined) reply.header('gone-state', told.state)
  }
  return reply
}
