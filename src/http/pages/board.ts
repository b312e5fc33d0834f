import { AsyncLocalStorage } from 'node:async_hooks'
import type { Queue } from 'bullmq'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RoundId } from '../../core/rounds/round.ts'
import { serveLate } from './late.ts'
import type { Pages } from './pages.ts'

const BOARD_PATH = '/board'

/** Bull Board over the queues, read-only unless configured otherwise. With keys in use, only an admin changes anything. */
export async function board(
  app: FastifyInstance,
  parts: {
    /** Those to show, and of these others those that there are. */
    readonly queues: (others: readonly string[]) => Promise<readonly Queue[]>
    readonly isReadOnly: boolean
    readonly pages: Pages
    readonly basePath: string
    /** Opens a round again. @throws GoneError where it is not */
    readonly retry: (id: RoundId, request: FastifyRequest | undefined) => Promise<void>
    /** One without paths, for those of the board. */
    readonly fresh: () => FastifyInstance
  },
): Promise<void> {
  const { pages, retry, fresh } = parts
  const visitor = new AsyncLocalStorage<FastifyRequest>()
  await app.register(async (scope) => {
    scope.addHook('onRequest', pages.guard)
    scope.addHook('onRequest', (request, _, done) => {
      visitor.run(request, done)
    })
    const build = async () => {
      const { bullBoard } = await import('./bull-board.ts')
      const instance = fresh()
      await bullBoard(instance, {
        ...parts,
        path: BOARD_PATH,
        retry: (id) => retry(id, visitor.getStore()),
      })
      return instance
    }
    serveLate(scope, { path: BOARD_PATH, changes: `${BOARD_PATH}/api`, build })
  })
}
