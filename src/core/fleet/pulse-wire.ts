import type { OwnMode } from './instance.ts'
import type { OrderVerb } from './order.ts'
import type { SettingsTaken, WorkerSettings } from './worker-settings.ts'

/** What an instance that takes jobs over HTTP says of itself. */
export interface PulseBody {
  /** New at each start. */
  readonly id: string
  readonly host: string
  readonly workers: readonly {
    readonly name: string
    readonly slots?: number
    readonly running?: number
    readonly done?: number
    readonly failed?: number
    /** How long ago it last took a job, such as `1500ms`. */
    readonly taken?: string
    /** Of what is set from one place: the revision that it has, or has refused and why. */
    readonly settings?: SettingsTaken
  }[]
  readonly mode?: OwnMode | 'ended'
  readonly release?: string
  readonly region?: string
  /** It takes jobs that are for its region (`take` with `region=`), besides those that are for none. */
  readonly regional?: boolean
  readonly pid?: number
  readonly version?: string
  readonly cpuPercent?: number
  readonly rssBytes?: number
  readonly loopDelayMs?: number
  /** How it went with orders. */
  readonly reports?: readonly {
    readonly order: string
    readonly outcome: 'done' | 'failed'
    readonly detail?: string
  }[]
}

/** What it is told. */
export interface PulseJson {
  /** To be obeyed; they come again until they are reported on. */
  readonly orders: readonly {
    readonly id: string
    readonly do: OrderVerb
    readonly worker?: string
    readonly slots?: number
  }[]
  /** What is set of its workers from one place, where that is not the revision that it has. Empty ones: nothing is set any more. */
  readonly settings?: readonly {
    readonly worker: string
    readonly revision: number
    readonly settings: WorkerSettings
  }[]
  readonly every: string
  readonly now: string
}
