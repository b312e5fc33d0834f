import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Action, keyJson, permits } from '../../core/api-key.ts'
import type { KeyUseNotes } from '../../service/key-uses.ts'
import { scopeReaderOf, serveUnder } from '../api.ts'
import type { Endpoint } from '../endpoint.ts'
import { sendJson } from '../replies.ts'
import type { Pages } from './pages.ts'

/**
 * What the console asks of the API, by the endpoints' names. To elect, renew and complete is for those whose round it is:
 * no cookie does.
 */
const ASKED: ReadonlySet<string> = new Set([
  'getRound',
  'getRoundJob',
  'listRounds',
  'tallyRounds',
  'fail',
  'cancel',
  'retry',
  'getSchedule',
  'listSchedules',
  'nextSlots',
  'previewSchedule',
  'putSchedule',
  'deleteSchedule',
  'pauseSchedule',
  'resumeSchedule',
  'triggerSchedule',
  'backfillSchedule',
  'listAlerts',
  'getExpectation',
  'deleteExpectation',
  'listExpectations',
  'listExpectedSlots',
  'getFleet',
  'listInstances',
  'getInstance',
  'getSeries',
  'readFleetLog',
  'giveOrder',
  'listOrders',
  'getOrder',
  'listPools',
  'deploy',
  'rollBackPool',
  'scalePool',
])

const UNDER = '/console/api'

interface ConsoleApiParts {
  readonly keyUses: KeyUseNotes
  readonly version: string
}

/** The same endpoints as under `/api/v1`, for whoever has logged in: a cookie opens no other path. */
export function consoleApi(app: FastifyInstance, pages: Pages, parts: ConsoleApiParts): void {
  for (const endpoint of app.endpoints.filter(({ name }) => ASKED.has(name))) {
    const scopeOf = scopeReaderOf(endpoint)
    const path = endpoint.path.replace('/api/v1', UNDER)
    serveUnder(app, { ...endpoint, path }, (request) =>
      pages.refusalOfData(request, actionOf(endpoint), scopeOf(request)),
    )
  }
  const onRequest = async (request: FastifyRequest) => {
    const refused = await pages.refusalOfData(request, 'read', 'all')
    if (refused) throw refused
  }
  app.get(`${UNDER}/me`, { onRequest }, (request, reply) => {
    const { sessionKey: key } = request
    const may = (action: Action) =>
      app.access.keyring.isOpen || (key !== undefined && permits(key, action, 'all'))
    sendJson(reply, 200, {
      ...(key && { key: { id: key.id, name: key.name, actions: key.actions, systems: key.systems } }),
      may: { elect: may('elect'), submit: may('submit'), operate: may('operate') },
      version: parts.version,
    })
  })
  app.get(`${UNDER}/keys`, { onRequest }, async (request, reply) => {
    const used = await parts.keyUses.all()
    const { keyring } = app.access
    const areAll = request.sessionKey !== undefined && permits(request.sessionKey, 'admin', 'all')
    const seen = keyring.list().filter(({ id }) => areAll || id === request.sessionKey?.id)
    sendJson(reply, 200, {
      keys: seen.map((key) => keyJson(key, used.get(key.id))),
      areAll,
      isOpen: keyring.isOpen,
    })
  })
}

function actionOf({ action }: Endpoint): Action | readonly Action[] {
  return action === 'open' ? 'read' : action
}
