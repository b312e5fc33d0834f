import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queue } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import { ALARMS_QUEUE, ALERTS_QUEUE } from '../core/job.ts'
import { formatRound, parseRoundKey, roundKey } from '../core/round.ts'
import { LOGOUT_PATH, type Pages } from './pages.ts'

export const BOARD_PATH = '/board'

/** Bull Board over the queues, read-only unless configured otherwise. With keys in use, only an admin changes anything. */
export async function board(
  app: FastifyInstance,
  parts: {
    readonly queues: () => Promise<readonly Queue[]>
    readonly isReadOnly: boolean
    readonly pages: Pages
  },
): Promise<void> {
  const { queues, isReadOnly, pages } = parts
  const adapter = new FastifyAdapter()
  adapter.setBasePath(BOARD_PATH)
  const shown = new Set<string>()
  const bullBoard = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'gone',
        ...(!app.access.keyring.isOpen && { miscLinks: [{ text: 'Log out', url: LOGOUT_PATH }] }),
      },
    },
  })
  /** Queues come up while the server runs: whoever looks sees those of that moment. */
  async function showNewQueues(): Promise<void> {
    for (const queue of await queues()) {
      if (shown.has(queue.name)) continue
      shown.add(queue.name)
      const shownQueue = new BullMQAdapter(queue, { readOnlyMode: isReadOnly })
      if (![ALARMS_QUEUE, ALERTS_QUEUE].includes(queue.name)) shownQueue.setFormatter('name', titleOf)
      bullBoard.addQueue(shownQueue)
    }
  }
  await app.register(async (scope) => {
    scope.addHook('onRequest', pages.guard)
    // Where Redis cannot say, the board shows what it knows.
    scope.addHook('onRequest', () => showNewQueues().catch(() => undefined))
    await scope.register(adapter.registerPlugin(), { prefix: BOARD_PATH })
  })
}

/** The round, which the job's id has escaped; of a job that somebody else has added, its name. */
function titleOf({ id = '', name }: { readonly id?: string; readonly name: string }): string {
  try {
    const round = parseRoundKey(id)
    return roundKey(round) === id ? formatRound(round) : name
  } catch {
    return name
  }
}
