import type { FastifyInstance } from 'fastify'
import { oneOf } from '../../core/expect.ts'
import { LOG_LEVELS, levelIn } from '../../core/fleet/log-level.ts'
import type { FleetLogJson } from '../../core/fleet/log-wire.ts'
import { readSelection } from '../../core/fleet/selection.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import { text } from '../../core/shape.ts'
import type { LogAsked, LogPage, LogReader } from '../../service/fleet/log-reader.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import {
  type EventStream,
  eventStreams,
  NOTHING_NEW,
  SAY_SOMETHING_MS,
  wantsEvents,
} from '../event-stream.ts'
import { goOnAfter, limit, parameter, searched, wait } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { callerSignal } from '../requests.ts'
import { FLEET_LOG } from '../shapes/log-shapes.ts'
import { markIn, SELECTING, textOf } from './fleet-events.ts'

export interface LogRoutesParts {
  readonly logReader: LogReader
}

const LINES = 100
/** Of a stream, once what was kept is told. */
const MOST_LINES = 1_000

/** What instances print. */
export function logRoutes(app: FastifyInstance, { logReader }: LogRoutesParts): void {
  serve(app, logEndpoint(logReader, eventStreams(app)))
}

function logEndpoint(logReader: LogReader, open: ReturnType<typeof eventStreams>): Endpoint {
  return endpoint({
    name: 'readFleetLog',
    path: '/api/v1/fleet/log',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'What instances print, all that are selected together.',
    description:
      'Without `after` the last lines that are kept of each, up to 1,000; with it what has come since, at once or when something has (wait). ' +
      'To whoever accepts text/event-stream it goes on telling: events `lines`, each with such an answer and an `id:` to go on from, and `reset`, ' +
      'the same where what was told before is of a log that is lost. ' +
      'Only supervisors (`gone work --instances`) read what their instances print, and they send it only while somebody asks.',
    query: {
      ...SELECTING,
      text: parameter('Only lines that hold this, in upper or lower case.', 'timeout', searched),
      level: parameter(
        'Only lines as grave as this, or more. One that says no level counts as info, or as error where it came by stderr.',
        'warn',
        oneOf(LOG_LEVELS),
      ),
      after: goOnAfter('`at` of the answer before'),
      limit,
      wait,
    },
    replies: { 200: { about: 'The lines.', json: FLEET_LOG, events: text() } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query, request }, reply) {
      const { text: wanted = '', level, after, limit = LINES, wait: waitMs = 0, ...given } = query
      const asked: LogAsked = {
        selection: readSelection(given),
        text: wanted,
        ...(level && { level }),
        mark: after === undefined ? undefined : markOf(after),
        limit,
        waitMs,
      }
      const { access } = request.server
      if (wantsEvents(request.headers.accept))
        return access.waitingFor(request, async () => {
          const first = await logReader.read({ ...asked, waitMs: 0 }, callerSignal(reply))
          await streamLog(open(reply), logReader, asked, first)
        })
      const read = () => logReader.read(asked, callerSignal(reply))
      sendJson(reply, 200, logJson(waitMs > 0 ? await access.waitingFor(request, read) : await read()))
    },
  })
}

/** Tells one listener what is printed, until it or the server goes. */
async function streamLog(
  stream: EventStream,
  logReader: LogReader,
  asked: LogAsked,
  first: LogPage,
): Promise<void> {
  stream.send(eventOf(first))
  let { mark } = first
  while (stream.isOpen) {
    const more = { ...asked, mark, limit: MOST_LINES, waitMs: SAY_SOMETHING_MS }
    const page = await logReader.read(more, stream.signal).catch(() => 'away' as const)
    // The store is away: the listener comes again, and goes on where it was.
    if (page === 'away') break
    mark = page.mark
    const isNews = page.lines.length > 0 || page.dropped.size > 0 || page.isReset
    // What is not shown is read, too: who comes again need not look through it once more.
    stream.send(isNews ? eventOf(page) : `id: ${idOf(page)}\n${NOTHING_NEW}`)
  }
  stream.end()
}

function eventOf(page: LogPage): string {
  const name = page.isReset ? 'reset' : 'lines'
  return `id: ${idOf(page)}\nevent: ${name}\ndata: ${JSON.stringify(logJson(page))}\n\n`
}

function idOf({ mark }: LogPage): string {
  return textOf({ epoch: mark.epoch, change: mark.number })
}

function markOf(after: string) {
  const { change: number, epoch } = markIn(after)
  return { number, epoch }
}

function logJson(page: LogPage): FleetLogJson {
  const { lines, dropped, silent, unread, leftOut, isReset, nowMs } = page
  return {
    lines: lines.map(({ instance, atMs, isError, text }) => {
      const level = levelIn(text)
      return {
        instance,
        at: iso(atMs),
        text,
        ...(isError && { error: true as const }),
        ...(level && { level }),
      }
    }),
    dropped: [...dropped].map(([instance, many]) => ({
      instance,
      ...(many !== undefined && { lines: many }),
    })),
    silent,
    unread,
    leftOut,
    at: idOf(page),
    ...(isReset && { reset: true as const }),
    now: iso(nowMs),
  }
}
