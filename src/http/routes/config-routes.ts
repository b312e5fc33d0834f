import type { FastifyInstance, FastifyRequest } from 'fastify'
import { whole } from '../../core/expect.ts'
import { readSettings, settingsJson, settingsTarget } from '../../core/fleet/worker-settings.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import type { WorkerConfigs } from '../../service/fleet/worker-configs.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { parameter, purpose } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { actorOf } from '../requests.ts'
import { SETTINGS_ANSWER, SETTINGS_BODY, SETTINGS_LIST } from '../shapes/config-shapes.ts'

export interface ConfigRoutesParts {
  readonly configs: WorkerConfigs
}

const PATH = '/api/v1/fleet/config/{of}/{name}'
const NEVER_SET = ['STORE_UNAVAILABLE', 'NO_SUCH_SETTINGS', 'INVALID_PARAMETER'] as const

/** What workers are configured with from one place. */
export function configRoutes(app: FastifyInstance, { configs }: ConfigRoutesParts): void {
  serve(app, listEndpoint(configs))
  serve(app, getEndpoint(configs), putEndpoint(configs), deleteEndpoint(configs))
  serve(app, rollbackEndpoint(configs))
}

const asked = (request: FastifyRequest, reason = '') => ({ actor: actorOf(request), reason })

function listEndpoint(configs: WorkerConfigs): Endpoint {
  return endpoint({
    name: 'listSettings',
    path: '/api/v1/fleet/config',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'What is set of which workers and instances.',
    replies: { 200: { about: 'Workers before instances, by name.', json: SETTINGS_LIST } },
    errors: ['STORE_UNAVAILABLE'],
    async handler(_, reply) {
      const { all, nowMs } = await configs.list()
      sendJson(reply, 200, { settings: all.map(settingsJson), now: iso(nowMs) })
    },
  })
}

function getEndpoint(configs: WorkerConfigs): Endpoint {
  return endpoint({
    name: 'getSettings',
    path: PATH,
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'What is set of a worker or an instance, and was before.',
    id: settingsTarget,
    replies: { 200: { about: 'With its revisions, newest first.', json: SETTINGS_ANSWER } },
    errors: NEVER_SET,
    async handler({ id }, reply) {
      const { found, nowMs } = await configs.get(id)
      sendJson(reply, 200, { settings: settingsJson(found), now: iso(nowMs) })
    },
  })
}

function putEndpoint(configs: WorkerConfigs): Endpoint {
  return endpoint({
    name: 'putSettings',
    path: PATH,
    methods: ['PUT'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Set how a worker runs, wherever it does, or one instance.',
    description:
      'The whole of it: what is left out is as the file of the worker says. Running instances take it within a second; a worker whose own parser refuses ' +
      'the config goes on as before, and the list of instances says why.',
    id: settingsTarget,
    body: bodyOf(SETTINGS_BODY, readSettings, { isRequired: true, maxBytes: 32_768 }),
    replies: { 200: { about: 'Set, under a new revision.', json: SETTINGS_ANSWER } },
    errors: ['STORE_UNAVAILABLE', 'TOO_MANY_SETTINGS', 'INVALID_PARAMETER'],
    async handler({ id, body, request }, reply) {
      const { found, nowMs } = await configs.set(id, body.settings, asked(request, body.reason))
      sendJson(reply, 200, { settings: settingsJson(found), now: iso(nowMs) })
    },
  })
}

function deleteEndpoint(configs: WorkerConfigs): Endpoint {
  return endpoint({
    name: 'deleteSettings',
    path: PATH,
    methods: ['DELETE'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Let the file of the worker hold again.',
    id: settingsTarget,
    query: { reason: purpose },
    replies: { 200: { about: 'Nothing is set any more; that is a revision, too.', json: SETTINGS_ANSWER } },
    errors: NEVER_SET,
    async handler({ id, query, request }, reply) {
      await configs.get(id)
      const { found, nowMs } = await configs.set(id, null, asked(request, query.reason))
      sendJson(reply, 200, { settings: settingsJson(found), now: iso(nowMs) })
    },
  })
}

function rollbackEndpoint(configs: WorkerConfigs): Endpoint {
  return endpoint({
    name: 'rollBackSettings',
    path: `${PATH}/rollback`,
    methods: ['POST'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Set again what was set before the last change.',
    id: settingsTarget,
    query: {
      to: parameter(
        'Under which revision; default the last with other settings than now.',
        '1',
        whole(1, Number.MAX_SAFE_INTEGER),
      ),
      reason: purpose,
    },
    replies: { 200: { about: 'Set, under a new revision.', json: SETTINGS_ANSWER } },
    errors: NEVER_SET,
    async handler({ id, query, request }, reply) {
      const { found, nowMs } = await configs.rollBack(id, query.to, asked(request, query.reason))
      sendJson(reply, 200, { settings: settingsJson(found), now: iso(nowMs) })
    },
  })
}
