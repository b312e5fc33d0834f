import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queue } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import { ALERTS_QUEUE, WAKES_QUEUE } from '../../core/rounds/job.ts'
import { formatRound, parseRoundKey, type RoundId } from '../../core/rounds/round.ts'
import { LOGOUT_PATH } from './pages.ts'
import { RoundAdapter } from './round-adapter.ts'
import { ShownQueues } from './shown-queues.ts'

/** Puts Bull Board together; returns when it can be asked. */
export async function bullBoard(
  app: FastifyInstance,
  parts: {
    readonly path: string
    readonly queues: (others: readonly string[]) => Promise<readonly Queue[]>
    readonly isReadOnly: boolean
    readonly basePath: string
    readonly retry: (id: RoundId) => Promise<void>
  },
): Promise<void> {
  const { path, queues, isReadOnly, basePath, retry } = parts
  const adapter = new FastifyAdapter()
  adapter.setBasePath(path)
  const shownBoard = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'gone',
        // Also while no key is needed: keys may come into use while the server runs.
        miscLinks: [
          { text: 'Console', url: `${basePath}/` },
          { text: 'Log out', url: basePath + LOGOUT_PATH },
        ],
      },
    },
  })
  function adapterOf(queue: Queue): BullMQAdapter {
    const options = { readOnlyMode: isReadOnly }
    if (queue.name === ALERTS_QUEUE) return new BullMQAdapter(queue, options)
    const rounds = new RoundAdapter(queue, options, retry)
    rounds.setFormatter('name', titleOf)
    return rounds
  }
  // What ticks schedules is ours: whoever saw its Job Schedulers would take them for what to change.
  const ofOthers = async (others: readonly string[]) =>
    (await queues(others)).filter(({ name }) => name !== WAKES_QUEUE)
  const shown = new ShownQueues(ofOthers, adapterOf)
  await app.register(async (scope) => {
    // Where Redis cannot say, the board shows what it knows.
    scope.addHook('onRequest', async (request) => {
      const adapters = await shown.at(request.url).catch(() => undefined)
      if (adapters) shownBoard.replaceQueues(adapters)
    })
    scope.addHook('onSend', async (_, reply, payload) =>
      typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html')
        ? withoutThirdParties(payload)
        : payload,
    )
    await scope.register(adapter.registerPlugin(), { prefix: path })
  })
  await app.ready()
}

/** Without the fonts that it asks of others, and without the styles of its loading screen, which would need a hole in the policy. */
function withoutThirdParties(html: string): string {
  return html
    .replace(/<link href="https:[^>]{1,1000}>/g, '')
    .replace(/ style="[^"]{1,1000}"/g, '')
    .replace(/<style>[^<]{1,1000}<\/style>/g, '')
}

/** The round, which the job's id has escaped; of a job that somebody else has added, its name. */
function titleOf({ id = '', name }: { readonly id?: string; readonly name: string }): string {
  try {
    return formatRound(parseRoundKey(id))
  } catch {
    return name
  }
}
