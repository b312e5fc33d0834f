import type { FastifyInstance } from 'fastify'
import { keyJson } from '../../core/api-key.ts'
import type { KeyUseNotes } from '../../service/key-uses.ts'
import { serve } from '../api.ts'
import { endpoint } from '../endpoint.ts'
import { sendJson } from '../replies.ts'
import { KEY_LIST } from '../shapes/key-shapes.ts'

export interface KeyRoutesParts {
  readonly keyUses: KeyUseNotes
}

/** What keys there are. They are made in Redis itself, by who may write there. */
export function keyRoutes(app: FastifyInstance, { keyUses }: KeyRoutesParts): void {
  serve(
    app,
    endpoint({
      name: 'listKeys',
      route: 'keys',
      path: '/api/v1/keys',
      methods: ['GET'],
      action: 'admin',
      tag: 'operating',
      summary: 'The API keys, what each permits and when it was last used; no secret.',
      replies: { 200: { about: 'All of them.', json: KEY_LIST } },
      errors: ['STORE_UNAVAILABLE'],
      async handler(_, reply) {
        const used = await keyUses.all()
        const keys = app.access.keyring.list()
        sendJson(reply, 200, { keys: keys.map((key) => keyJson(key, used.get(key.id))) })
      },
    }),
  )
}
