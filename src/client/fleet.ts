import type { FleetEventsJson, InstanceJson, OrderJson, TopologyJson } from '../core/fleet/fleet-wire.ts'
import type { LogLevel } from '../core/fleet/log-level.ts'
import type { FleetLogJson } from '../core/fleet/log-wire.ts'
import type { OrderVerb } from '../core/fleet/order.ts'
import type { PulseBody, PulseJson } from '../core/fleet/pulse-wire.ts'
import type { SelectionField } from '../core/fleet/selection.ts'
import type { MarkJson, SeriesJson } from '../core/fleet/series-wire.ts'
import { ask, askAll, type CallOptions } from './ask.ts'
import { type Duration, durationText } from './duration.ts'
import { type ConfigCalls, configOn } from './fleet-config.ts'
import { outcomeOf } from './outcome.ts'
import { type PoolCalls, poolsOn } from './pools.ts'
import type { Reply, TransportOptions } from './transport.ts'

/** Which instances: names, `*` for any characters, several separated by commas. `{ worker: 'mail*', state: 'registered' }` */
export type FleetSelection = { readonly [Field in SelectionField]?: string }

/** What a listener is told first, and after changes that were not kept; then what changes. */
export type FleetNews =
  | { readonly kind: 'snapshot'; readonly instances: readonly InstanceJson[] }
  /** Without an instance: it is not selected any more, or is forgotten. */
  | { readonly kind: 'change'; readonly id: string; readonly instance?: InstanceJson }

export interface OrderOptions extends CallOptions {
  readonly do: OrderVerb
  /** Whom it reaches; or `'all'`, in so many words. */
  readonly select: FleetSelection | 'all'
  /** How many instances were shown: where others are selected by now, nobody is told. */
  readonly count: number
  /** Which those were, by their ids: then it is not given where another is selected in the place of one, either. */
  readonly instances?: readonly string[]
  /** For `concurrency`: how many jobs at once, and of which worker where an instance has several. */
  readonly slots?: number
  readonly worker?: string
  readonly reason?: string
  /** How long it may be obeyed, 1s to 1h. Default 60s. */
  readonly within?: Duration
  /** It may take away more than half of what serves a worker. */
  readonly atOnce?: boolean
}

export interface SeriesOptions extends CallOptions {
  readonly worker: string
  /** Default: an hour before `to`. */
  readonly from?: Date
  /** Default: now. */
  readonly to?: Date
  /** What a point tells of: whole minutes up to 1h, or whole hours. Default: as many points as a graph shows well. */
  readonly step?: Duration
}

export interface LogOptions extends CallOptions {
  /** Only lines that hold this, in upper or lower case. */
  readonly text?: string
  /** Only lines as grave as this, or more. One that says no level counts as `info`, or as `error` where it came by stderr. */
  readonly level?: LogLevel
  /** How many of the last lines at first, up to 1,000. Default 100. */
  readonly lines?: number
}

/** What runs workers, and what it is told. */
export interface FleetCalls {
  /** What workers are configured with from one place. */
  readonly config: ConfigCalls
  /** How many instances of which workers there shall be, and what of yours they run. */
  readonly pools: PoolCalls
  /** How many instances run what, where. */
  topology(selection?: FleetSelection, options?: CallOptions): Promise<TopologyJson>
  /** By region, host, worker and id. */
  instances(selection?: FleetSelection, options?: CallOptions): Promise<readonly InstanceJson[]>
  /** Undefined if there is none, or it ended over an hour ago. */
  instance(id: string, options?: CallOptions): Promise<InstanceJson | undefined>
  /** All that are selected now, then each change, none left out; until `signal` ends it. */
  listen(selection?: FleetSelection, options?: CallOptions): AsyncIterable<FleetNews>
  /** The last that instances have printed which run under a supervisor, all that are selected together. */
  log(selection?: FleetSelection, options?: LogOptions): Promise<FleetLogJson>
  /** The same, then what they print, as it comes; until `signal` ends it. */
  followLog(selection?: FleetSelection, options?: LogOptions): AsyncIterable<FleetLogJson>
  /** Tells instances what to do. A call that may have been obeyed, though nothing says so, is not repeated: look at the orders. */
  order(options: OrderOptions): Promise<OrderJson>
  /** Whom an order would reach. */
  plan(select: FleetSelection | 'all', options?: CallOptions): Promise<readonly InstanceJson[]>
  orders(options?: CallOptions & { readonly limit?: number }): Promise<readonly OrderJson[]>
  /** Says that an instance lives which takes jobs over HTTP; what it is to obey. To be said every two seconds. */
  pulse(body: PulseBody, options?: CallOptions): Promise<PulseJson>
  /** What was done for a worker in the course of time: by minutes for a day, by hours for 30 days. */
  series(options: SeriesOptions): Promise<SeriesJson>
  /**
   * Says something of this moment, of a worker or of all, which its series and their graphs show. A call that may have
   * been heard, though nothing says so, is not repeated.
   */
  mark(text: string, options?: CallOptions & { readonly worker?: string }): Promise<MarkJson>
  orderOf(id: string, options?: CallOptions): Promise<OrderJson | undefined>
}

const PATH = '/api/v1/fleet'
const LISTEN_MS = 25_000
const ORDERS = 100
const MOST_LINES = 1_000

/** The fleet of the server that is reached by `transport`. */
export function fleetOn(transport: TransportOptions): FleetCalls {
  const list = (query: FleetSelection, signal: AbortSignal | undefined) =>
    askAll<InstanceJson>(transport, { path: `${PATH}/instances`, query, answers: 'instances', signal })
  return {
    config: configOn(transport),
    pools: poolsOn(transport),
    async topology(query = {}, { signal } = {}) {
      return (await ask(transport, { path: PATH, query, answers: 'regions', signal })).json as TopologyJson
    },
    instances: (selection = {}, { signal } = {}) => list(selection, signal),
    async instance(id, { signal } = {}) {
      const path = `${PATH}/instances/${encodeURIComponent(id)}`
      const json = await found(ask(transport, { path, answers: 'instance', signal }), 'NO_SUCH_INSTANCE')
      return (json as { instance: InstanceJson } | undefined)?.instance
    },
    listen: (selection = {}, { signal } = {}) => listen(transport, selection, signal),
    log: (selection = {}, options = {}) => readLog(transport, selection, options),
    followLog: (selection = {}, options = {}) => followLog(transport, selection, options),
    async order({ select, within, signal, ...rest }) {
      const body = {
        ...rest,
        ...selected(select),
        ...(within !== undefined && { within: durationText(within) }),
      }
      const path = `${PATH}/orders`
      const question = { method: 'POST', path, body, accepts: [202], answers: 'order', signal } as const
      return ((await ask(transport, { ...question, isRepeatable: false })).json as { order: OrderJson }).order
    },
    async plan(select, { signal } = {}) {
      const body = { do: 'register', dryRun: true, ...selected(select) }
      const question = { method: 'POST', path: `${PATH}/orders`, body, answers: 'instances', signal } as const
      return ((await ask(transport, question)).json as { instances: readonly InstanceJson[] }).instances
    },
    orders: ({ signal, limit = ORDERS } = {}) =>
      askAll<OrderJson>(transport, { path: `${PATH}/orders`, answers: 'orders', signal }, limit),
    async pulse(body, { signal } = {}) {
      const question = { method: 'POST', path: `${PATH}/pulse`, body, answers: 'orders', signal } as const
      return (await ask(transport, question)).json as PulseJson
    },
    async series({ worker, from, to, step, signal }) {
      const query = {
        worker,
        from: from?.toISOString(),
        to: to?.toISOString(),
        step: step === undefined ? undefined : durationText(step),
      }
      return (await ask(transport, { path: `${PATH}/series`, query, answers: 'points', signal }))
        .json as SeriesJson
    },
    async mark(text, { worker, signal } = {}) {
      const body = { text, ...(worker !== undefined && { worker }) }
      const question = {
        method: 'POST',
        path: `${PATH}/marks`,
        body,
        accepts: [201],
        answers: 'mark',
        signal,
      } as const
      return ((await ask(transport, { ...question, isRepeatable: false })).json as { mark: MarkJson }).mark
    },
    async orderOf(id, { signal } = {}) {
      const path = `${PATH}/orders/${encodeURIComponent(id)}`
      const json = await found(ask(transport, { path, answers: 'order', signal }), 'NO_SUCH_ORDER')
      return (json as { order: OrderJson } | undefined)?.order
    },
  }
}

async function* listen(
  transport: TransportOptions,
  selection: FleetSelection,
  signal: AbortSignal | undefined,
): AsyncIterable<FleetNews> {
  let after: string | undefined
  while (!signal?.aborted) {
    if (after === undefined) {
      // Where to listen from comes first: what changes while the pages are read is told after them.
      const events = { path: `${PATH}/events`, answers: 'events', signal }
      after = ((await ask(transport, events)).json as FleetEventsJson).at
      const question = { path: `${PATH}/instances`, query: selection, answers: 'instances', signal }
      yield { kind: 'snapshot', instances: await askAll<InstanceJson>(transport, question) }
    }
    const query = { ...selection, after }
    const question = { path: `${PATH}/events`, query, answers: 'events', waitMs: LISTEN_MS, signal }
    const { events, at, reset } = (await ask(transport, question)).json as FleetEventsJson
    for (const event of events) yield { kind: 'change', ...event }
    after = reset ? undefined : at
  }
}

async function readLog(
  transport: TransportOptions,
  selection: FleetSelection,
  { text, level, lines, signal }: LogOptions,
): Promise<FleetLogJson> {
  const query = { ...selection, text, level, limit: lines === undefined ? undefined : String(lines) }
  return (await ask(transport, { path: `${PATH}/log`, query, answers: 'lines', signal })).json as FleetLogJson
}

async function* followLog(
  transport: TransportOptions,
  selection: FleetSelection,
  options: LogOptions,
): AsyncIterable<FleetLogJson> {
  const { text, level, signal } = options
  let page = await readLog(transport, selection, options)
  yield page
  while (!signal?.aborted) {
    const query = { ...selection, text, level, after: page.at, limit: String(MOST_LINES) }
    const question = { path: `${PATH}/log`, query, answers: 'lines', waitMs: LISTEN_MS, signal }
    page = (await ask(transport, question)).json as FleetLogJson
    if (page.lines.length > 0 || page.dropped.length > 0 || page.reset) yield page
  }
}

function selected(select: FleetSelection | 'all') {
  return select === 'all' ? { all: true } : { select }
}

async function found(asked: Promise<Reply>, none: 'NO_SUCH_INSTANCE' | 'NO_SUCH_ORDER'): Promise<unknown> {
  return (await asked.catch(outcomeOf<Pick<Reply, 'json'>>({ [none]: () => ({ json: undefined }) }))).json
}
