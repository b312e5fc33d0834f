import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { stateIn } from '../../core/rounds/round-filter.ts'
import { GoneError } from '../../errors.ts'
import type { Expectations } from '../../service/alerts/expectations.ts'
import type { FleetFollower } from '../../service/fleet/follower.ts'
import type { Reader } from '../../service/rounds/reader.ts'
import type { Schedules } from '../../service/schedules/schedules.ts'
import { sendProblem } from '../problem.ts'
import { isGone } from '../requests.ts'
import type { Pages } from './pages.ts'
import { said, Teller, type Viewer } from './teller.ts'

export interface StreamParts {
  readonly reader: Reader
  readonly expectations: Expectations
  readonly schedules: Schedules
  readonly follower: FleetFollower
}

/** A page that is so far behind does not read; it comes again, and asks anew. */
const MAX_BEHIND_BYTES = 1_048_576

/** Tells open pages what has changed, as server-sent events: `hello`, `changed` with the topics, `ping`, `logout`, `bye`. */
export function changeStream(app: FastifyInstance, pages: Pages, parts: StreamParts): void {
  const teller = new Teller({ readings: readingsOf(parts) })
  app.addHook('preClose', () => teller.stop())
  app.get('/console/stream', { exposeHeadRoute: false }, async (request, reply) => {
    const refused = await pages.refusalOfData(request, 'read', 'all')
    if (refused) return sendProblem(reply, refused)
    // It would be told for ever what nobody hears: what has closed does not close again.
    if (isGone(reply)) return reply.hijack()
    await app.access.waitingFor(request, () => tellUntilClosed(request, reply))
    return reply
  })

  /** @throws GoneError `TOO_MANY_STANDBYS` */
  async function tellUntilClosed(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { raw } = reply
    const viewer = viewerOn(raw, () => {
      // Whoever looks sees by what this server knows, which in a calm is not read again.
      app.access.calm.end()
      return pages.isIn(request)
    })
    if (!teller.add(viewer))
      throw new GoneError('TOO_MANY_STANDBYS', 'too many pages are open at this server')
    reply.hijack()
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      // nginx would hold events back.
      'x-accel-buffering': 'no',
    })
    viewer.send(`retry: 1000\n\n${said('hello', {})}`)
    await new Promise((resolve) => raw.once('close', resolve))
    teller.remove(viewer)
  }
}

/** A page that reads what is written here. */
export function viewerOn(raw: ServerResponse, isIn: () => Promise<boolean>): Viewer {
  return {
    send(text) {
      if (raw.writableLength > MAX_BEHIND_BYTES) raw.destroy()
      else raw.write(text)
    },
    end: () => raw.end(),
    isIn,
  }
}

function readingsOf({ reader, expectations, schedules, follower }: StreamParts) {
  return {
    rounds: async () => {
      const { rounds, nowMs } = await reader.history({ limit: 50 })
      return JSON.stringify(
        rounds.map((round) => [round.id, stateIn(round, nowMs), round.record?.fence, round.record?.starts]),
      )
    },
    alerts: async () => {
      const { alerts } = await expectations.alerts({ limit: 20 })
      return JSON.stringify(alerts.map(({ id, state, count }) => [id, state, count]))
    },
    schedules: async () => {
      const found = await schedules.list({ limit: 100 })
      return JSON.stringify(found.schedules.map(({ id, schedule }) => [id, schedule]))
    },
    fleet: async () => {
      const { epoch, change } = await follower.latest()
      return `${epoch}.${change}`
    },
  }
}
