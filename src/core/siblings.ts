import type { ErrorCode } from '../errors.ts'

/** A metric of one process, with what its samples are. */
export interface MetricJson {
  readonly name: string
  readonly help: string
  readonly type: string
  /** How those of several processes become one, as prom-client names it: `sum`, `max`, `first`. */
  readonly aggregator: string
  readonly values: readonly MetricValue[]
}

export interface MetricValue {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  /** Where it is not the metric's own, such as `…_bucket`. */
  readonly metricName?: string
}

/** How the processes of a server are, those that share its port. */
export interface JointState {
  /** Why whoever asks may come to one that does not answer. */
  readonly trouble?: string
  /** What is not as it should be, though every caller is answered. */
  readonly warning?: string
}

/** The processes of one server, as one of them asks about all. */
export interface Siblings {
  /** What each has counted, this one's included, and those that have ended. @throws Error where nobody says so in time */
  counts(): Promise<readonly (readonly MetricJson[])[]>
  /** @throws Error where nobody says so in time */
  state(): Promise<JointState>
  /** Has this process asked for its own by this. */
  countBy(count: () => Promise<readonly MetricJson[]>): void
}

/** What a process of a server says to its parent. */
export type FromServer =
  | { readonly kind: 'serves'; readonly url: string }
  /** Why it cannot, and so ends. */
  | { readonly kind: 'unable'; readonly code: ErrorCode; readonly message: string }
  /** Each second, from its event loop: so it is not blocked. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'ask'; readonly id: number; readonly what: 'counts' | 'state' }
  /** What it was asked to count. */
  | { readonly kind: 'counted'; readonly id: number; readonly counts: readonly MetricJson[] }

/** What it hears from it. */
export type ToServer =
  /** It drains, and ends. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'count'; readonly id: number }
  | {
      readonly kind: 'answer'
      readonly id: number
      readonly counts?: readonly (readonly MetricJson[])[]
      readonly state?: JointState
    }

/** The process of a server, as its parent has it. */
export interface ServerProcess {
  readonly pid: number
  tell(word: ToServer): void
  kill(): void
}

export interface ServerListener {
  onWord(word: FromServer): void
  /** Once, after all that it has said. Both null: it could not be started. */
  onEnd(exit: { readonly code: number | null; readonly signal: string | null }): void
}

export type StartServerProcess = (listener: ServerListener) => ServerProcess
