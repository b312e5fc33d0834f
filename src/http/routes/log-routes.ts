import type { FastifyInstance } from 'fastify'
import type { FleetLogJson } from '../../core/fleet/log-wire.ts'
import { readSelection } from '../../core/fleet/selection.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import type { LogPage, LogReader } from '../../service/fleet/log-reader.ts'
import { serve } from '../api.ts'
import { endpoint } from '../endpoint.ts'
import { anyText, limit, parameter, searched, wait } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { callerSignal } from '../requests.ts'
import { FLEET_LOG } from '../shapes/log-shapes.ts'
import { markIn, SELECTING, textOf } from './fleet-events.ts'

export interface LogRoutesParts {
  readonly logReader: LogReader
}

const LINES = 100

/** What instances print. */
export function logRoutes(app: FastifyInstance, { logReader }: LogRoutesParts): void {
  serve(
    app,
    endpoint({
      name: 'readFleetLog',
      path: '/api/v1/fleet/log',
      methods: ['GET'],
      action: 'read',
      tag: 'fleet',
      summary: 'What instances print, all that are selected together.',
      description:
        'Without `after` the last lines that are kept of each, up to 1,000; with it what has come since, at once or when something has (wait). ' +
        'Only supervisors (`gone work --instances`) read what their instances print, and they send it only while somebody asks.',
      query: {
        ...SELECTING,
        text: parameter('Only lines that hold this, in upper or lower case.', 'timeout', searched),
        after: parameter('Where to go on: `at` of the answer before.', 'x1Yz.17', anyText),
        limit,
        wait,
      },
      replies: { 200: { about: 'The lines.', json: FLEET_LOG } },
      errors: ['STORE_UNAVAILABLE'],
      async handler({ query: { text = '', after, limit = LINES, wait = 0, ...given }, request }, reply) {
        const selection = readSelection(given)
        const mark = after === undefined ? undefined : numberIn(after)
        const read = () => logReader.read({ selection, text, mark, limit, waitMs: wait }, callerSignal(reply))
        const page = wait > 0 ? await request.server.access.waitingFor(request, read) : await read()
        sendJson(reply, 200, logJson(page))
      },
    }),
  )
}

function numberIn(after: string) {
  const { change: number, epoch } = markIn(after)
  return { number, epoch }
}

function logJson({ lines, dropped, silent, unread, leftOut, mark, isReset, nowMs }: LogPage): FleetLogJson {
  return {
    lines: lines.map(({ instance, atMs, isError, text }) => ({
      instance,
      at: iso(atMs),
      text,
      ...(isError && { error: true as const }),
    })),
    dropped: [...dropped].map(([instance, many]) => ({
      instance,
      ...(many !== undefined && { lines: many }),
    })),
    silent,
    unread,
    leftOut,
    at: textOf({ epoch: mark.epoch, change: mark.number }),
    ...(isReset && { reset: true as const }),
    now: iso(nowMs),
  }
}
