import type { FastifyReply } from 'fastify'
import type { Selection } from '../../core/fleet/selection.ts'
import type { FleetFollower, FleetMark } from '../../service/fleet/follower.ts'
import { eventJson, textOf } from './fleet-events.ts'

interface Stream {
  readonly follower: FleetFollower
  readonly selection: Selection
  /** Missing: from now. */
  readonly mark: FleetMark | undefined
  /** Aborted when the listener has gone. */
  readonly signal: AbortSignal
}

/** Proxies cut what is silent for a minute, and this server what is silent for a minute and a half. */
const SAY_SOMETHING_MS = 15_000
/** A listener that is so far behind does not read; it comes again, and is told all it missed. */
const MAX_BEHIND_BYTES = 1_048_576
const RETRY_MS = 1_000

/** Tells one listener what changes, as server-sent events, until it or the server goes. */
export async function streamEvents(reply: FastifyReply, stream: Stream): Promise<void> {
  const { follower, selection, signal } = stream
  let mark = stream.mark ?? (await follower.latest())
  reply.hijack()
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would hold events back.
    'x-accel-buffering': 'no',
  })
  const send = (text: string) => void reply.raw.write(text)
  send(`retry: ${RETRY_MS}\n\n`)
  while (!signal.aborted && reply.raw.writable && reply.raw.writableLength < MAX_BEHIND_BYTES) {
    const found = await follower.next(mark, SAY_SOMETHING_MS, signal).catch(() => 'away' as const)
    // The store is away: the listener comes again, and goes on where it was.
    if (found === 'away') break
    if (found === undefined) {
      mark = await follower.latest().catch(() => mark)
      send(`id: ${textOf(mark)}\nevent: reset\ndata: {}\n\n`)
      continue
    }
    mark = found.mark
    if (found.changes.length === 0) send(': \n\n')
    for (const change of found.changes) {
      const data = JSON.stringify(eventJson(change, selection))
      send(`id: ${textOf({ ...mark, change: change.number })}\nevent: change\ndata: ${data}\n\n`)
    }
  }
  reply.raw.end()
}
