import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queue } from 'bullmq'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GoneError } from '../errors.ts'
import { sendProblem } from './problem.ts'

export const BOARD_PATH = '/board'

/** Bull Board over the queues, read-only unless configured otherwise. */
export async function board(
  app: FastifyInstance,
  { queues, isReadOnly }: { readonly queues: () => Promise<readonly Queue[]>; readonly isReadOnly: boolean },
): Promise<void> {
  const adapter = new FastifyAdapter()
  adapter.setBasePath(BOARD_PATH)
  const shown = new Set<string>()
  const bullBoard = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'gone' } },
  })
  /** Queues come up while the server runs: whoever looks sees those of that moment. */
  async function showNewQueues(): Promise<void> {
    for (const queue of await queues()) {
      if (shown.has(queue.name)) continue
      shown.add(queue.name)
      bullBoard.addQueue(new BullMQAdapter(queue, { readOnlyMode: isReadOnly }))
    }
  }
  await app.register(async (scope) => {
    scope.addHook('onRequest', refuseForeign)
    // Where Redis cannot say, the board shows what it knows.
    scope.addHook('onRequest', () => showNewQueues().catch(() => undefined))
    await scope.register(adapter.registerPlugin(), { prefix: BOARD_PATH })
  })
}

/** A page of another origin can make a browser send requests here; it must not change a queue. */
async function refuseForeign(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const { origin, host } = request.headers
  if (origin !== undefined && URL.canParse(origin) && new URL(origin).host === host) return
  // Answered and not thrown: the board's plugin would make an error of its own of it.
  return sendProblem(
    reply,
    new GoneError(
      'FOREIGN_ORIGIN',
      `${request.method} on the board: expected a page of this server, got origin "${origin ?? 'none'}"`,
    ),
  )
}
