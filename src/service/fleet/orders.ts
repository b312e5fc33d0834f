import type { Fleet, Pokes, TooFew } from '../../core/fleet/fleet-ports.ts'
import { compareInstances, type Instance } from '../../core/fleet/instance.ts'
import { type OrderRecord, type OrderTask, takesAway } from '../../core/fleet/order.ts'
import { isEmpty, type Selection, selectionText, selects } from '../../core/fleet/selection.ts'
import { GoneError } from '../../errors.ts'

/** What is asked for. */
export interface OrderAsked {
  readonly task: Omit<OrderTask, 'order'>
  readonly selection: Selection
  /** All instances are meant, which an empty selection alone does not say. */
  readonly isAll: boolean
  /** How many instances the asker was shown; missing: it has seen none, and only looks. */
  readonly count?: number
  /** And which; missing: it says only how many. */
  readonly shown?: readonly string[]
  /** True where it may take away more than half of what serves a worker. */
  readonly isAtOnce: boolean
  readonly reason: string
  readonly actor: string
  /** How long it may be obeyed. */
  readonly withinMs: number
}

export interface OrderPlan {
  /** Whom it would reach, in the order of lists. */
  readonly instances: readonly Instance[]
  readonly nowMs: number
}

const KEEP_MS = 30 * 86_400_000

/** Tells instances what to do. Nothing selected is nothing done, and nobody is told who was not counted. */
export class Orders {
  /** @param freshText differs at each call, in every process */
  constructor(
    private readonly fleet: Fleet,
    private readonly pokes: Pokes,
    private readonly freshText: () => string,
  ) {}

  /**
   * Whom the order would reach.
   *
   * @throws GoneError `EMPTY_SELECTION` where that is nobody, or everybody without a word of it
   */
  async plan({ selection, isAll }: Pick<OrderAsked, 'selection' | 'isAll'>): Promise<OrderPlan> {
    if (isEmpty(selection) && !isAll)
      throw new GoneError(
        'EMPTY_SELECTION',
        'select: expected which instances are meant, or all: true, got neither',
      )
    if (!isEmpty(selection) && isAll)
      throw new GoneError('INVALID_BODY', 'all: expected either a selection or all: true, got both')
    const { instances, nowMs } = await this.fleet.snapshot()
    const found = instances.filter((one) => !one.end && selects(selection, one)).sort(compareInstances)
    if (found.length > 0) return { instances: found, nowMs }
    throw new GoneError(
      'EMPTY_SELECTION',
      `${selectionText(selection)} selects none of ${instances.length} instances`,
    )
  }

  /**
   * Gives the order.
   *
   * @throws GoneError as `plan`, `SELECTION_CHANGED` where it would reach others than were counted, `MIN_REGISTERED` where
   *   it would leave a worker with less than half of its instances
   */
  async give(asked: OrderAsked): Promise<OrderRecord> {
    const { instances, nowMs } = await this.plan(asked)
    if (asked.count !== instances.length)
      throw new GoneError(
        'SELECTION_CHANGED',
        `count: ${instances.length} instances are selected now, not ${asked.count ?? 'unknown'}; look again`,
      )
    refuseOthers(instances, asked.shown)
    const taken = instances.filter((one) => !asked.isAtOnce && takesAway(asked.task.verb, one))
    const halved = [...new Set(taken.flatMap(({ workers }) => workers.map(({ name }) => name)))]
    const { task, selection, reason, actor, withinMs } = asked
    const order: OrderRecord = {
      id: `${Math.floor(nowMs).toString(36)}-${this.freshText()}`,
      task,
      actor,
      reason,
      selection: selectionText(selection),
      givenAtMs: nowMs,
      untilMs: nowMs + withinMs,
      outcomes: Object.fromEntries(
        instances.map(({ id }) => [id, { kind: 'waiting', atMs: nowMs, detail: '' }] as const),
      ),
    }
    const tooFew = await this.fleet.order(order, KEEP_MS, halved)
    if (tooFew) throw minRegistered(tooFew)
    // Who does not hear of it asks within two seconds.
    await this.pokes.poke(instances.map(({ id }) => id)).catch(() => undefined)
    return order
  }

  get(id: string): ReturnType<Fleet['orderRecord']> {
    return this.fleet.orderRecord(id)
  }

  list(query: Parameters<Fleet['orders']>[0]): ReturnType<Fleet['orders']> {
    return this.fleet.orders(query)
  }
}

function refuseOthers(instances: readonly Instance[], shown: readonly string[] | undefined): void {
  if (shown === undefined) return
  const ids = new Set(shown)
  const other = instances.find(({ id }) => !ids.has(id))
  if (other) throw new GoneError('SELECTION_CHANGED', `instances: ${other.id} was not shown; look again`)
}

function minRegistered({ worker, left, serving }: TooFew): GoneError {
  return new GoneError(
    'MIN_REGISTERED',
    `${worker}: ${left} of its ${serving} registered instances would be left; order it at once (atOnce: true, --at-once) if that is meant`,
  )
}
