import type { InstanceFacts } from './instance.ts'

/**
 * What an instance can be told to do. `restart` and `stop` end the process when its jobs have ended; its starter restarts it, and
 * a supervisor that does so has another in its place before. `start` is for the place of one that was stopped.
 */
export const ORDER_VERBS = ['register', 'unregister', 'concurrency', 'restart', 'stop', 'start'] as const
export type OrderVerb = (typeof ORDER_VERBS)[number]

/** How it went at one instance. `waiting`: not yet obeyed. */
export const OUTCOMES = ['waiting', 'obeying', 'done', 'failed', 'expired'] as const
export type OutcomeKind = (typeof OUTCOMES)[number]

export interface OrderOutcome {
  readonly kind: OutcomeKind
  readonly atMs: number
  /** Why, where it failed. */
  readonly detail: string
}

/** What one instance is told. */
export interface OrderTask {
  /** The order's id. */
  readonly order: string
  readonly verb: OrderVerb
  /** For `concurrency`: which worker and how many slots. */
  readonly worker?: string
  readonly slots?: number
  /** How long running jobs may take to end, for `restart` and `stop`. */
  readonly drainMs?: number
}

/** An order as it is kept. Times in ms of the store's clock. */
export interface OrderRecord {
  /** Begins with the time that it was given, so that orders sort by it. */
  readonly id: string
  readonly task: Omit<OrderTask, 'order'>
  /** Who gave it: the key's id, or an address. */
  readonly actor: string
  readonly reason: string
  /** As it was asked for, for people. */
  readonly selection: string
  readonly givenAtMs: number
  /** Never obeyed from then on. */
  readonly untilMs: number
  readonly outcomes: Readonly<Record<string, OrderOutcome>>
}

/** True if an instance that obeys takes no jobs then, for a while at least. A supervisor has another in its place before it restarts. */
export function takesAway(verb: OrderVerb, { place }: Pick<InstanceFacts, 'place'>): boolean {
  return verb === 'unregister' || verb === 'stop' || (verb === 'restart' && place === undefined)
}
