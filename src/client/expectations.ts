import type { ExpectationJson } from '../core/alerts/alert-wire.ts'
import type { CallOptions } from './ask.ts'
import { type Duration, durationText } from './duration.ts'
import { namedOn } from './named.ts'
import type { TransportOptions } from './transport.ts'

/** When rounds should come: one of the two. */
type When =
  /** 5 or 6 fields, or a word such as `@hourly`. */
  | { readonly cron: string; readonly every?: never }
  /** 1s to 366d. What divides a day is counted from midnight. */
  | { readonly every: Duration; readonly cron?: never }

/** What rounds of a system that is elected from outside must keep to. */
export type ExpectationOptions = When & {
  /** The zone that its times are meant in, such as `Europe/Berlin`. Default `UTC`. */
  readonly tz?: string
  /** What becomes of times that a change of clocks leaves out or brings twice. Default `run-after` and `first`. */
  readonly dst?: { readonly gap?: 'skip' | 'run-after'; readonly overlap?: 'first' | 'second' | 'both' }
  /** How long after its time a round may come before it is missed, 1s to 7d. */
  readonly grace: Duration
  /** After how long it is late. Default: after the grace. */
  readonly late?: Duration
  /** How many distinct candidates must ask for it by the end of the grace. Default: they are not counted. */
  readonly replicas?: number
}

export interface ListExpectationsOptions extends CallOptions {
  /** Only those of this system. */
  readonly system?: string
}

export interface PutExpectation {
  /** True if there was none of this name. A repetition after a lost answer is not told apart: then false. */
  readonly isNew: boolean
  readonly expectation: ExpectationJson
}

/** An expectation as it is listed: all have been read at about the same moment. */
export type ListedExpectationJson = Omit<ExpectationJson, 'now'>

/** What rounds should come of systems that are elected from outside. Every call is safe to repeat, and is repeated. */
export interface Expectations {
  /** Makes the expectation be as given, and judges slots by it from now on. The same again changes nothing. */
  put(
    system: string,
    name: string,
    expectation: ExpectationOptions,
    options?: CallOptions,
  ): Promise<PutExpectation>
  /** Undefined if there is none. */
  get(system: string, name: string, options?: CallOptions): Promise<ExpectationJson | undefined>
  /** All of them, by system and name, from as many pages as there are. */
  list(options?: ListExpectationsOptions): Promise<readonly ListedExpectationJson[]>
  /** Also resolves its alerts. False if there was none, as after a repetition whose first answer got lost. */
  remove(system: string, name: string, options?: CallOptions): Promise<boolean>
}

/** The expectations of the server that is reached by `transport`. */
export function expectationsOn(transport: TransportOptions): Expectations {
  const { put, get, list, remove } = namedOn<ExpectationJson, ListedExpectationJson>(transport, {
    plural: 'expectations',
    member: 'grace',
    none: 'NO_SUCH_EXPECTATION',
  })
  return {
    async put(system, name, { every, grace, late, ...rest }, options) {
      const durations = { every: durationText(every), grace: durationText(grace), late: durationText(late) }
      const { isNew, json } = await put(system, name, { ...rest, ...durations }, options)
      return { isNew, expectation: json }
    },
    get,
    list,
    remove,
  }
}
