import type { FastifyInstance, FastifyReply } from 'fastify'
import { pause } from '../waiting.ts'
import { callerSignal } from './requests.ts'

/** An answer of server-sent events, until whoever reads it goes, or may not read it any more, or the server goes. */
export interface EventStream {
  /** Aborted at its end. */
  readonly signal: AbortSignal
  /** False: who reads it has gone, does not read, or may not. */
  readonly isOpen: boolean
  send(text: string): void
  end(): void
}

/** Proxies cut what is silent for a minute, and this server what is silent for a minute and a half. */
export const SAY_SOMETHING_MS = 15_000
/** What is said where there is nothing to say. */
export const NOTHING_NEW = ': \n\n'
/** A listener that is so far behind does not read; it comes again, and is told all it missed. */
const MAX_BEHIND_BYTES = 1_048_576
const RETRY_MS = 1_000
/** With what servers believe of the keys that they have read, no key that was revoked is told anything 10 s later. */
const CHECK_EVERY_MS = 1_000

/** True if it is to be answered by events. */
export function wantsEvents(accept: string | undefined): boolean {
  return accept?.includes('text/event-stream') ?? false
}

/** Answers by events; all of them end with the server. */
export function eventStreams(app: FastifyInstance): (reply: FastifyReply) => EventStream {
  const stopping = new AbortController()
  app.addHook('preClose', async () => stopping.abort())
  return (reply) => openStream(reply, stopping.signal)
}

function openStream(reply: FastifyReply, stopping: AbortSignal): EventStream {
  const barred = new AbortController()
  const signal = AbortSignal.any([callerSignal(reply), stopping, barred.signal])
  void untilBarred(reply, signal).then(() => barred.abort())
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would hold events back.
    'x-accel-buffering': 'no',
  })
  raw.write(`retry: ${RETRY_MS}\n\n`)
  return {
    signal,
    get isOpen() {
      return !signal.aborted && raw.writable && raw.writableLength < MAX_BEHIND_BYTES
    },
    send: (text) => void raw.write(text),
    end: () => void raw.end(),
  }
}

/** Resolves when whoever reads may not any more: a key is revoked, a session ends, or it began while nobody needed a key. */
async function untilBarred({ request, server }: FastifyReply, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(CHECK_EVERY_MS, signal)
    if (!signal.aborted && !(await server.access.mayStillRead(request))) return
  }
}
