/**
 * What can be wrong with a round that was expected: `missed` never came within the grace, `late` came after it should,
 * `unreported` was led and not finished by its deadline, `failed` ended so, `few-candidates` was asked for by fewer
 * candidates than there are replicas.
 */
const ROUND_KINDS = ['missed', 'late', 'unreported', 'failed', 'few-candidates'] as const

/**
 * What can be wrong with the fleet: `no-worker` of a worker whose jobs wait for nobody, `stuck` of an instance that takes none though it
 * has room, `unresponsive` of one of which nothing is heard any more, `crash-loop` of a place whose instances die again and again.
 */
export const FLEET_KINDS = ['no-worker', 'stuck', 'unresponsive', 'crash-loop'] as const

export const ALERT_KINDS = [...ROUND_KINDS, ...FLEET_KINDS] as const
export type AlertKind = (typeof ALERT_KINDS)[number]

export const ALERT_STATES = ['open', 'resolved'] as const
export type AlertState = (typeof ALERT_STATES)[number]

/** One cause, from the first slot that shows it until the next good one. Times in ms of the store's clock. */
export interface Alert {
  /** A number that only grows, as text: this store's, which another, or an earlier one, has given too. */
  readonly id: string
  readonly system: string
  /** The expectation's or the schedule's. */
  readonly name: string
  readonly kind: AlertKind
  readonly state: AlertState
  readonly openedAtMs: number
  /** When the last bad slot was judged, or when it was resolved. */
  readonly updatedAtMs: number
  /** How many slots have shown it. */
  readonly count: number
  readonly firstSlot: string
  readonly lastSlot: string
  /** The round of the last bad slot, where there is one. */
  readonly lastRound?: string
  /** What is wrong with the last bad slot, for people. */
  readonly detail: string
  readonly resolvedAtMs?: number
  /** What resolved it, for people. */
  readonly resolution?: string
}

/** An alert has begun or ended; what goes on in between is only counted. */
export interface AlertNews {
  readonly event: 'opened' | 'resolved'
  readonly alert: Alert
}

/** The same for both tellings of one piece of news. */
export function deliveryId({
  event,
  alert,
}: Pick<AlertNews, 'event'> & { readonly alert: Pick<Alert, 'id'> }): string {
  return `${alert.id}-${event}`
}
