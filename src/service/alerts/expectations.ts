import type { Alert, AlertState } from '../../core/alerts/alert.ts'
import type { Alerts, Expectation, WatchName } from '../../core/alerts/alert-ports.ts'
import type { RollCall } from './roll-call.ts'
import type { Watchman } from './watchman.ts'

export interface AlertPage {
  readonly alerts: readonly Alert[]
  readonly nowMs: number
  /** The alert to go on after. */
  readonly next?: string
}

/** A request for few alerts of one system must not read all of them: the rest is left to the next page. */
const MAX_SCANNED = 5_000
const SCAN_AT_ONCE = 1_000

/** What is expected of systems that are elected from outside, and what has gone wrong. */
export class Expectations {
  constructor(
    private readonly store: Alerts,
    private readonly watchman: Watchman,
    private readonly rollCall: RollCall,
  ) {}

  async put(name: WatchName, expectation: Expectation) {
    const kept = await this.store.put(name, expectation)
    await this.rollCall.refresh()
    return kept
  }

  async get(name: WatchName) {
    return this.store.expectation(name)
  }

  async list(query: { readonly system?: string; readonly after?: WatchName; readonly limit: number }) {
    return this.store.expectations(query)
  }

  /** Also resolves what is open. False if there was none. */
  async remove(name: WatchName): Promise<boolean> {
    return this.watchman.dismiss({ ...name, of: 'expectation' })
  }

  /** A page of alerts, newest first. It may hold fewer than asked for, even none, and still have a next. */
  async alerts(query: {
    readonly system?: string
    readonly state?: AlertState
    readonly after?: string
    readonly limit: number
  }): Promise<AlertPage> {
    const { system, limit, state } = query
    if (system === undefined) return this.store.alerts(query)
    const found: Alert[] = []
    let after = query.after
    let scanned = 0
    for (;;) {
      const page = await this.store.alerts({
        limit: SCAN_AT_ONCE,
        ...(state && { state }),
        ...(after !== undefined && { after }),
      })
      scanned += SCAN_AT_ONCE
      found.push(...page.alerts.filter((alert) => alert.system === system))
      const last = found[limit - 1]
      if (last && (found.length > limit || page.next !== undefined))
        return { alerts: found.slice(0, limit), nowMs: page.nowMs, next: last.id }
      const rest = page.next !== undefined && scanned >= MAX_SCANNED ? { next: page.next } : {}
      if (page.next === undefined || scanned >= MAX_SCANNED)
        return { alerts: found, nowMs: page.nowMs, ...rest }
      after = page.next
    }
  }
}
