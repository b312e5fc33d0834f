import type { PoolJson, PoolSpecJson, PoolsJson } from '../core/fleet/pool-wire.ts'
import { ask, type CallOptions } from './ask.ts'
import { outcomeOf } from './outcome.ts'
import { segmentOf } from './segment.ts'
import type { Reply, TransportOptions } from './transport.ts'

interface ReasonOptions extends CallOptions {
  readonly reason?: string
}

interface RollBackOptions extends ReasonOptions {
  /** The release that is no good: where the pool has left that already, or is about to, it stays as it is. */
  readonly from?: string
}

/** How many instances of which workers there shall be, and what of yours they run. */
export interface PoolCalls {
  /** By name, with their places; and the supervisors that take these. */
  list(options?: CallOptions): Promise<PoolsJson>
  get(name: string, options?: CallOptions): Promise<PoolJson | undefined>
  /** Sets it as a whole. Where that changes what it runs, one place after the other gets it. */
  put(name: string, spec: PoolSpecJson, options?: ReasonOptions): Promise<PoolJson>
  /**
   * Has so many instances of it, and all else as it is.
   *
   * @param options.count how many were shown: where it has another number by now nothing is done
   */
  scale(
    name: string,
    instances: number,
    options?: ReasonOptions & { readonly count?: number },
  ): Promise<PoolJson>
  /** Its instances end when their jobs have. False: there was none. */
  remove(name: string, options?: CallOptions): Promise<boolean>
  /** Has it run another release, one place after the other: look at its `rollout`. */
  deploy(name: string, release: string, options?: ReasonOptions): Promise<PoolJson>
  /** Has it run the release before, or calls off the deploy that is on its way. A call that may have been obeyed, though nothing says so, is repeated only with `from`. */
  rollBack(name: string, options?: RollBackOptions): Promise<PoolJson>
}

const PATH = '/api/v1/fleet/pools'

export function poolsOn(transport: TransportOptions): PoolCalls {
  const pathOf = (name: string) => `${PATH}/${segmentOf('name', name)}`
  const asked = async (question: Omit<Parameters<typeof ask>[1], 'answers'>) =>
    ((await ask(transport, { ...question, answers: 'pool' })).json as { pool: PoolJson }).pool
  return {
    async list({ signal } = {}) {
      return (await ask(transport, { path: PATH, answers: 'pools', signal })).json as PoolsJson
    },
    async get(name, { signal } = {}) {
      const none = outcomeOf<Pick<Reply, 'json'>>({ NO_SUCH_POOL: () => ({ json: undefined }) })
      const question = { path: pathOf(name), answers: 'pool', signal }
      const { json } = await ask(transport, question).catch(none)
      return (json as { pool: PoolJson } | undefined)?.pool
    },
    put: (name, spec, { reason, signal } = {}) =>
      asked({
        method: 'PUT',
        path: pathOf(name),
        body: { ...spec, ...(reason !== undefined && { reason }) },
        signal,
      }),
    scale: (name, instances, { count, reason, signal } = {}) =>
      asked({
        method: 'POST',
        path: `${pathOf(name)}/scale`,
        body: { instances, ...(count !== undefined && { count }), ...(reason !== undefined && { reason }) },
        // Where the first was obeyed, and only its answer got lost, the second would be refused.
        isRepeatable: count === undefined,
        signal,
      }),
    async remove(name, { signal } = {}) {
      const question = {
        method: 'DELETE',
        path: pathOf(name),
        accepts: [204],
        answers: 'pool',
        signal,
      } as const
      const none = outcomeOf<boolean>({ NO_SUCH_POOL: () => false })
      return ask(transport, question).then(() => true, none)
    },
    deploy: (name, release, { reason, signal } = {}) =>
      asked({
        method: 'POST',
        path: `${pathOf(name)}/deploy`,
        accepts: [202],
        body: { release, ...(reason !== undefined && { reason }) },
        signal,
      }),
    rollBack: (name, { reason, from, signal } = {}) =>
      asked({
        method: 'POST',
        path: `${pathOf(name)}/rollback`,
        accepts: [202],
        query: { reason, from },
        isRepeatable: from !== undefined,
        signal,
      }),
  }
}
