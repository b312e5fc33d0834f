import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queue } from 'bullmq'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { GoneError } from '../errors.ts'

export const BOARD_PATH = '/board'

/** Bull Board over the queues, read-only unless configured otherwise. */
export async function board(
  app: FastifyInstance,
  { queues, isReadOnly }: { readonly queues: readonly Queue[]; readonly isReadOnly: boolean },
): Promise<void> {
  const adapter = new FastifyAdapter()
  adapter.setBasePath(BOARD_PATH)
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: isReadOnly })),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'gone' } },
  })
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => refuseForeign(request))
    await scope.register(adapter.registerPlugin(), { prefix: BOARD_PATH })
  })
}

/** A page of another origin can make a browser send requests here; it must not change a queue. */
function refuseForeign(request: FastifyRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const { origin, host } = request.headers
  if (origin !== undefined && URL.canParse(origin) && new URL(origin).host === host) return
  throw new GoneError(
    'FOREIGN_ORIGIN',
    `${request.method} on the board: expected a page of this server, got origin "${origin ?? 'none'}"`,
  )
}
