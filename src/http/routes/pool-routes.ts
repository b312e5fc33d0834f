import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { PoolState } from '../../core/fleet/pool.ts'
import { poolName, RELEASE, readDeploy, readPool, readScale } from '../../core/fleet/pool-body.ts'
import { poolJson, poolsJson } from '../../core/fleet/pool-wire.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import { GoneError } from '../../errors.ts'
import type { Pools } from '../../service/fleet/pools.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { parameter, purpose } from '../parameters.ts'
import { sendJson, sendStatus } from '../replies.ts'
import { actorOf } from '../requests.ts'
import { DEPLOY_BODY, POOL_ANSWER, POOL_BODY, POOL_LIST, SCALE_BODY } from '../shapes/pool-shapes.ts'

export interface PoolRoutesParts {
  readonly pools: Pools
}

const PATH = '/api/v1/fleet/pools/{name}'
const NO_POOL = ['STORE_UNAVAILABLE', 'NO_SUCH_POOL', 'INVALID_PARAMETER'] as const
const NO_ROLLOUT = ['NO_SUCH_RELEASE', 'ROLLOUT_UNDERWAY'] as const

const leftRelease = parameter('The release that is no good and to be left.', '42', RELEASE)

const id = ({ name = '' }: Readonly<Record<string, string>>) => poolName(name)
const asked = (request: FastifyRequest, reason = '') => ({ actor: actorOf(request), reason })

/** How many instances of which workers there shall be, and what of yours they run. */
export function poolRoutes(app: FastifyInstance, { pools }: PoolRoutesParts): void {
  serve(app, listEndpoint(pools))
  serve(app, getEndpoint(pools), putEndpoint(pools), deleteEndpoint(pools))
  serve(app, deployEndpoint(pools))
  serve(app, rollbackEndpoint(pools))
  serve(app, scaleEndpoint(pools))
}

function listEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'listPools',
    path: '/api/v1/fleet/pools',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'The pools with their places, and the supervisors that take these.',
    replies: { 200: { about: 'By name; supervisors by region and host.', json: POOL_LIST } },
    errors: ['STORE_UNAVAILABLE'],
    async handler(_, reply) {
      sendJson(reply, 200, poolsJson(await pools.read()))
    },
  })
}

function getEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'getPool',
    path: PATH,
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'A pool with its places.',
    id,
    replies: { 200: { about: 'The pool.', json: POOL_ANSWER } },
    errors: NO_POOL,
    async handler({ id }, reply) {
      sendPool(reply, 200, id, await pools.read())
    },
  })
}

function putEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'putPool',
    path: PATH,
    methods: ['PUT'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Set how many instances of which workers there shall be, and where.',
    description:
      'The whole of it. Places go to supervisors that take some (gone work --pools) and may have these, as many to each as to the others. Where what the ' +
      'pool runs is changed, one place after the other gets it, as by deploy.',
    id,
    body: bodyOf(POOL_BODY, readPool, { isRequired: true }),
    replies: { 200: { about: 'Set; places are given out within seconds.', json: POOL_ANSWER } },
    errors: ['STORE_UNAVAILABLE', 'QUOTA_EXCEEDED', 'INVALID_PARAMETER', ...NO_ROLLOUT],
    async handler({ id, body, request }, reply) {
      sendPool(reply, 200, id, await pools.put(id, body.spec, asked(request, body.reason)))
    },
  })
}

function deleteEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'deletePool',
    path: PATH,
    methods: ['DELETE'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Have a pool no more: its instances end when their jobs have.',
    id,
    replies: { 204: { about: 'It is no more.' } },
    errors: NO_POOL,
    async handler({ id }, reply) {
      await pools.remove(id)
      sendStatus(reply, 204)
    },
  })
}

function deployEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'deploy',
    path: `${PATH}/deploy`,
    methods: ['POST'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Have a pool run another release of yours, one place after the other.',
    description:
      'Each place gets an instance of the new release; when that has lived for 10 s the one before ends, once its jobs have. The first that does not come ' +
      'up or dies ends it, and all places get back what they had. A release is a folder below the root that the owner of each host has allowed.',
    id,
    body: bodyOf(DEPLOY_BODY, readDeploy, { isRequired: true }),
    replies: { 202: { about: 'Begun; ask for the pool to see how it goes.', json: POOL_ANSWER } },
    errors: [...NO_POOL, ...NO_ROLLOUT],
    async handler({ id, body, request }, reply) {
      sendPool(reply, 202, id, await pools.deploy(id, body.release, asked(request, body.reason)))
    },
  })
}

function rollbackEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'rollBackPool',
    path: `${PATH}/rollback`,
    methods: ['POST'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Have a pool run the release before; one that is on its way is called off.',
    id,
    description:
      'With from the call is safe to repeat, and to make late: where the pool has left that release already, or is about to, it stays as it is. Without, a ' +
      'second call calls off what the first has begun.',
    query: { reason: purpose, from: leftRelease },
    replies: {
      202: { about: 'Begun, or as it is; ask for the pool to see how it goes.', json: POOL_ANSWER },
    },
    errors: [...NO_POOL, ...NO_ROLLOUT],
    async handler({ id, query, request }, reply) {
      sendPool(reply, 202, id, await pools.rollBack(id, asked(request, query.reason), query.from))
    },
  })
}

function scaleEndpoint(pools: Pools): Endpoint {
  return endpoint({
    name: 'scalePool',
    path: `${PATH}/scale`,
    methods: ['POST'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Have another number of instances of a pool, and all else as it is.',
    description:
      'Those that are more begin where there is room; those that are too many end, once their jobs have. A file of pools that is applied later says it anew.',
    id,
    body: bodyOf(SCALE_BODY, readScale, { isRequired: true }),
    replies: { 200: { about: 'Set; places are given out within seconds.', json: POOL_ANSWER } },
    errors: [...NO_POOL, 'QUOTA_EXCEEDED', 'SELECTION_CHANGED'],
    async handler({ id, body: { reason, ...scale }, request }, reply) {
      sendPool(reply, 200, id, await pools.scale(id, scale, asked(request, reason)))
    },
  })
}

/** @throws GoneError `NO_SUCH_POOL` */
function sendPool(reply: FastifyReply, status: number, name: string, state: PoolState): void {
  const pool = state.pools.find((one) => one.name === name)
  if (!pool) throw new GoneError('NO_SUCH_POOL', `${name}: there is no such pool`)
  sendJson(reply, status, { pool: poolJson(pool, state), now: iso(state.nowMs) })
}
