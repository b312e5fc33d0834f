import type { FastifyReply, FastifyRequest } from 'fastify'
import { type RoundRecord, stateOf } from '../core/record.ts'
import type { RoundId } from '../core/round.ts'
import { ledRoundJson } from '../core/wire.ts'
import { wantsJson } from './requests.ts'

/** A record, and the store's clock: whether it is overdue is not for the clock of this machine to say. */
export interface SeenRecord {
  readonly record: RoundRecord
  readonly nowMs: number
}

/** Answers with a status and what is known of the round in headers, and no body. */
export function sendStatus(reply: FastifyReply, status: number, seen?: SeenRecord): FastifyReply {
  return seen ? sendRaw(reply, status, seen) : head(reply, status).send()
}

/** Like `sendStatus`, with the whole record for whoever accepts JSON, else the text. */
export function sendRecord(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  answer: SeenRecord & { readonly id: RoundId; readonly text?: string },
): FastifyReply {
  const { id, record, nowMs, text } = answer
  if (!wantsJson(request)) return sendRaw(reply, status, answer, text)
  head(reply, status, answer).header('content-type', JSON_TYPE)
  return reply.send(JSON.stringify(ledRoundJson(id, record, nowMs)))
}

/**
 * Answers past Fastify, which would spend as long on the headers as the rest of a loser's answer takes. Nothing of it is
 * needed here: no hook looks at a reply, and the text is ASCII.
 */
function sendRaw(
  reply: FastifyReply,
  status: number,
  { record, nowMs }: SeenRecord,
  text?: string,
): FastifyReply {
  const headers = [
    'cache-control',
    'no-store',
    'gone-leader',
    record.leader,
    'gone-fence',
    String(record.fence),
    'gone-state',
    stateOf(record, nowMs),
  ]
  if (text !== undefined) headers.push('content-type', 'text/plain; charset=utf-8')
  if (status !== 204) headers.push('content-length', String(text?.length ?? 0))
  reply.hijack()
  reply.raw.writeHead(status, headers)
  if (text === undefined) reply.raw.end()
  else reply.raw.end(text, 'latin1')
  return reply
}

export function sendJson(
  reply: FastifyReply,
  status: number,
  body: unknown,
  seen?: SeenRecord,
): FastifyReply {
  return head(reply, status, seen).header('content-type', JSON_TYPE).send(JSON.stringify(body))
}

const JSON_TYPE = 'application/json; charset=utf-8'

function head(reply: FastifyReply, status: number, seen?: SeenRecord): FastifyReply {
  reply.code(status).header('cache-control', 'no-store')
  if (seen) {
    const { record, nowMs } = seen
    reply.header('gone-leader', record.leader)
    reply.header('gone-fence', record.fence)
    reply.header('gone-state', stateOf(record, nowMs))
  }
  return reply
}
