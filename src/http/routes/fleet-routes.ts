import type { FastifyInstance } from 'fastify'
import type { JobsInHand } from '../../core/fleet/fleet-ports.ts'
import { deathJson, instanceJson, jobInHandJson, pageOf } from '../../core/fleet/fleet-wire.ts'
import { readSelection, selects } from '../../core/fleet/selection.ts'
import { topologyOf } from '../../core/fleet/topology.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import { text } from '../../core/shape.ts'
import { GoneError } from '../../errors.ts'
import type { FleetFollower } from '../../service/fleet/follower.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { eventStreams, wantsEvents } from '../event-stream.ts'
import { cursor, goOnAfter, limit, wait } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { callerSignal } from '../requests.ts'
import { FLEET_EVENTS, INSTANCE_ANSWER, INSTANCE_LIST, TOPOLOGY } from '../shapes/fleet-shapes.ts'
import { eventJson, markIn, SELECTING, textOf } from './fleet-events.ts'
import { streamEvents } from './fleet-stream.ts'

export interface FleetRoutesParts {
  readonly follower: FleetFollower
  readonly inHand: JobsInHand
}

const PAGE_SIZE = 100

/** What runs workers: how many, which, and how that changes. */
export function fleetRoutes(app: FastifyInstance, { follower, inHand }: FleetRoutesParts): void {
  serve(app, topologyEndpoint(follower))
  serve(app, listEndpoint(follower))
  serve(app, instanceEndpoint(follower, inHand))
  serve(app, eventsEndpoint(follower, eventStreams(app)))
}

function topologyEndpoint(follower: FleetFollower): Endpoint {
  return endpoint({
    name: 'getFleet',
    route: 'fleet',
    path: '/api/v1/fleet',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'How many instances run which workers, where.',
    query: SELECTING,
    replies: { 200: { about: 'The fleet, counted.', json: TOPOLOGY } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query }, reply) {
      const selection = readSelection(query)
      const { instances, nowMs } = await follower.snapshot()
      const found = instances.filter((one) => selects(selection, one))
      sendJson(reply, 200, { ...topologyOf(found), now: iso(nowMs) })
    },
  })
}

function listEndpoint(follower: FleetFollower): Endpoint {
  return endpoint({
    name: 'listInstances',
    route: 'instances',
    path: '/api/v1/fleet/instances',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'The instances, by region, host, worker and id.',
    description:
      'One that ended is left out unless state says it. Ask again with cursor=next until there is no next; listen from the `at` of the first page.',
    query: { ...SELECTING, limit, cursor: { ...cursor, example: 'WyJldSIsImV1LWEiLCJtYWlsZXIiLCJhIl0' } },
    replies: { 200: { about: 'A page of instances.', json: INSTANCE_LIST } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query: { limit = PAGE_SIZE, cursor, ...given } }, reply) {
      const selection = readSelection(given)
      const after = cursor === undefined ? undefined : keyIn(cursor)
      const snapshot = await follower.snapshot()
      const found = snapshot.instances.filter((one) => selects(selection, one))
      const { page, next } = pageOf(found, after, limit)
      sendJson(reply, 200, {
        instances: page.map(instanceJson),
        at: textOf(snapshot),
        now: iso(snapshot.nowMs),
        ...(next && { next: Buffer.from(JSON.stringify(next)).toString('base64url') }),
      })
    },
  })
}

function instanceEndpoint(follower: FleetFollower, inHand: JobsInHand): Endpoint {
  return endpoint({
    name: 'getInstance',
    route: 'instance',
    path: '/api/v1/fleet/instances/{id}',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary:
      'One instance with the jobs that it runs, for an hour also one that ended, and for a day one that died, with what is known of that.',
    id: ({ id = '' }) => id,
    replies: { 200: { about: 'The instance.', json: INSTANCE_ANSWER } },
    errors: ['STORE_UNAVAILABLE', 'NO_SUCH_INSTANCE'],
    async handler({ id }, reply) {
      const { instance, nowMs } = await follower.instance(id)
      if (instance === undefined)
        throw new GoneError(
          'NO_SUCH_INSTANCE',
          `${id}: there is no such instance, or it ended over an hour ago`,
        )
      const death = instance.end?.kind === 'died' ? await follower.death(id) : undefined
      const jobs = instance.end ? [] : await inHand.of(instance)
      const json = {
        ...instanceJson(instance),
        ...(!instance.end && { jobs: jobs.map(jobInHandJson) }),
        ...(death && { death: deathJson(death) }),
      }
      sendJson(reply, 200, { instance: json, now: iso(nowMs) })
    },
  })
}

function eventsEndpoint(follower: FleetFollower, open: ReturnType<typeof eventStreams>): Endpoint {
  return endpoint({
    name: 'listenToFleet',
    path: '/api/v1/fleet/events',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'What changes in the fleet from a moment on, none left out.',
    description:
      'Answers what has changed since `after`, at once or when something has (wait). To whoever accepts text/event-stream it goes on ' +
      'telling: events `change`, with `id:` to go on from, and `reset`, after which the instances are to be listed anew.',
    query: {
      ...SELECTING,
      after: goOnAfter('`at` of the list or of the answer before'),
      wait,
    },
    replies: { 200: { about: 'What has changed.', json: FLEET_EVENTS, events: text() } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query: { after, wait = 0, ...given }, request }, reply) {
      const selection = readSelection(given)
      const mark = after === undefined ? undefined : markIn(after)
      const from = mark ?? (await follower.latest())
      const { access } = request.server
      if (wantsEvents(request.headers.accept))
        return access.waitingFor(request, () =>
          streamEvents(open(reply), { follower, selection, mark: from }),
        )
      const next = () => follower.next(from, wait, callerSignal(reply))
      const found = wait > 0 ? await access.waitingFor(request, next) : await next()
      const { nowMs } = await follower.latest()
      sendJson(reply, 200, {
        events: found?.changes.map((change) => eventJson(change, selection)) ?? [],
        at: textOf(found?.mark ?? from),
        ...(found === undefined && { reset: true }),
        now: iso(nowMs),
      })
    },
  })
}

function keyIn(text: string): readonly string[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(key) && key.length === 4 && key.every((part) => typeof part === 'string')) return key
  } catch {
    // Said below.
  }
  throw new GoneError(
    'INVALID_PARAMETER',
    `cursor: expected the "next" of an earlier page, got ${JSON.stringify(text.slice(0, 64))}`,
  )
}
