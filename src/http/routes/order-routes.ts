import type { FastifyInstance } from 'fastify'
import { instanceJson, orderJson } from '../../core/fleet/fleet-wire.ts'
import { readOrder } from '../../core/fleet/order-body.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import { GoneError } from '../../errors.ts'
import type { Orders } from '../../service/fleet/orders.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { anyText, limit, parameter } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { actorOf } from '../requests.ts'
import { ORDER_ANSWER, ORDER_BODY, ORDER_LIST, ORDER_PLAN } from '../shapes/fleet-shapes.ts'

export interface OrderRoutesParts {
  readonly orders: Orders
}

const PAGE_SIZE = 100
/** The ids of as many instances as there may be, as long as they may be. */
const MAX_ORDER_BYTES = 1_048_576

/** What instances are told to do, and how it went. */
export function orderRoutes(app: FastifyInstance, parts: OrderRoutesParts): void {
  serve(app, giveEndpoint(parts), listEndpoint(parts))
  serve(app, getEndpoint(parts))
}

function giveEndpoint({ orders }: OrderRoutesParts): Endpoint {
  return endpoint({
    name: 'giveOrder',
    route: 'order',
    path: '/api/v1/fleet/orders',
    methods: ['POST'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Tell instances to register, unregister, run more or fewer jobs, restart or stop.',
    description:
      'Whom it reaches is told by select, or by all: true; nothing selected is nothing done. count is how many instances were shown, instances which: ' +
      'where others are selected by now, nobody is told. An instance obeys within a second, or not at all after `within`.',
    body: bodyOf(ORDER_BODY, readOrder, { isRequired: true, maxBytes: MAX_ORDER_BYTES }),
    replies: {
      200: { about: 'A dry run: whom it would reach.', json: ORDER_PLAN },
      202: { about: 'Given; ask for the order to see how it goes.', json: ORDER_ANSWER },
    },
    errors: [
      'STORE_UNAVAILABLE',
      'EMPTY_SELECTION',
      'SELECTION_CHANGED',
      'MIN_REGISTERED',
      'INVALID_PARAMETER',
    ],
    async handler({ body, request }, reply) {
      reply.hasChangedNothing = body.isDryRun
      if (body.isDryRun) {
        const { instances, nowMs } = await orders.plan(body)
        sendJson(reply, 200, { instances: instances.map(instanceJson), now: iso(nowMs) })
        return
      }
      const order = await orders.give({ ...body, actor: actorOf(request) })
      sendJson(reply, 202, { order: orderJson(order), now: iso(order.givenAtMs) })
    },
  })
}

function listEndpoint({ orders }: OrderRoutesParts): Endpoint {
  return endpoint({
    name: 'listOrders',
    route: 'orders',
    path: '/api/v1/fleet/orders',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'Orders of the last 30 days, newest first.',
    query: { limit, cursor: parameter('Where to go on: the `next` of the page before.', 'mif2x-1', anyText) },
    replies: { 200: { about: 'A page of orders.', json: ORDER_LIST } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query: { limit = PAGE_SIZE, cursor } }, reply) {
      const page = await orders.list({ limit, ...(cursor !== undefined && { after: cursor }) })
      sendJson(reply, 200, {
        orders: page.orders.map(orderJson),
        now: iso(page.nowMs),
        ...(page.next !== undefined && { next: page.next }),
      })
    },
  })
}

function getEndpoint({ orders }: OrderRoutesParts): Endpoint {
  return endpoint({
    name: 'getOrder',
    route: 'order',
    path: '/api/v1/fleet/orders/{id}',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'One order, and how it went at each instance.',
    id: ({ id = '' }) => id,
    replies: { 200: { about: 'The order.', json: ORDER_ANSWER } },
    errors: ['STORE_UNAVAILABLE', 'NO_SUCH_ORDER'],
    async handler({ id }, reply) {
      const { order, nowMs } = await orders.get(id)
      if (order === undefined) throw new GoneError('NO_SUCH_ORDER', `${id}: there is no such order`)
      sendJson(reply, 200, { order: orderJson(order), now: iso(nowMs) })
    },
  })
}
