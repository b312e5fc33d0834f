import {
  ALERT_KINDS,
  type Alert,
  type AlertKind,
  type AlertNews,
  type AlertState,
  deliveryId,
} from '../../core/alerts/alert.ts'
import type {
  Alerts,
  AlertsOutboxEntry,
  Expectation,
  ExpectationRecord,
  FleetFact,
  Look,
  SlotNews,
  TakenWatch,
  WatchId,
  WatchName,
  WatchProgress,
} from '../../core/alerts/alert-ports.ts'
import {
  countNeededMs,
  FLEET_SYSTEM,
  FLEET_WATCH,
  fleetFactsIn,
  indexName,
  MAX_ADOPTED_AGO_MS,
  parseWatchKey,
  watchKey,
} from './watch-key.ts'

interface KeptAlert extends Alert {
  readonly lastDueMs: number
}

interface Watch {
  version: number
  progress: WatchProgress
  lookMs: number
}

/** The twin of RedisAlerts in memory, for tests. It forgets nothing and is gone with the process. */
export class MemoryAlerts implements Alerts {
  private readonly records = new Map<string, ExpectationRecord>()
  private readonly watches = new Map<string, Watch>()
  private readonly kept = new Map<string, KeptAlert>()
  private readonly open = new Map<string, string>()
  private readonly pending = new Map<string, { readonly sinceMs: number; readonly news: AlertNews }>()
  private counter = 0

  constructor(private readonly nowMs: () => number) {}

  async put(name: WatchName, expectation: Expectation) {
    const nowMs = this.nowMs()
    const key = watchKey({ ...name, of: 'expectation' })
    const before = this.records.get(key)
    if (before && JSON.stringify(before.expectation) === JSON.stringify(expectation))
      return { verdict: 'unchanged' as const, record: before, nowMs }
    const record = { ...name, expectation, createdAtMs: before?.createdAtMs ?? nowMs, updatedAtMs: nowMs }
    this.records.set(key, record)
    this.begin(key, nowMs)
    return { verdict: before ? ('replaced' as const) : ('created' as const), record, nowMs }
  }

  async expectation(name: WatchName) {
    const record = this.records.get(watchKey({ ...name, of: 'expectation' }))
    return { nowMs: this.nowMs(), ...(record && { record }) }
  }

  async expectations({ system, after, limit }: { system?: string; after?: WatchName; limit: number }) {
    const found = [...this.records.values()]
      .filter((record) => system === undefined || record.system === system)
      .filter((record) => after === undefined || indexName(record) > indexName(after))
      .sort((a, b) => (indexName(a) < indexName(b) ? -1 : 1))
    const records = found.slice(0, limit)
    const last = found.length > limit ? records.at(-1) : undefined
    return { records, nowMs: this.nowMs(), ...(last && { next: { system: last.system, name: last.name } }) }
  }

  async adopt(name: WatchName, sinceMs: number): Promise<void> {
    const key = watchKey({ ...name, of: 'schedule' })
    const watch = this.watches.get(key)
    if (watch === undefined)
      return this.begin(key, Math.max(Math.floor(sinceMs), this.nowMs() - MAX_ADOPTED_AGO_MS))
    this.counter += 1
    this.watches.set(key, { ...watch, version: this.counter, lookMs: this.nowMs() })
  }

  async drop(id: WatchId, resolution: string, tells: boolean): Promise<readonly AlertNews[] | undefined> {
    const key = watchKey(id)
    if (!this.watches.delete(key)) return undefined
    this.records.delete(key)
    return ALERT_KINDS.flatMap((kind) => {
      const alert = this.openAlert(key, kind)
      return alert ? [this.resolve(key, alert, resolution, tells)] : []
    })
  }

  async watched(of: WatchId['of']): Promise<readonly WatchName[]> {
    return [...this.watches.keys()].map(parseWatchKey).filter((id) => id.of === of)
  }

  async counted(): Promise<ReadonlyMap<string, number>> {
    const counted = new Map<string, number>()
    for (const { system, expectation } of this.records.values()) {
      const neededMs = countNeededMs(expectation)
      if (neededMs > 0) counted.set(system, Math.max(neededMs, counted.get(system) ?? 0))
    }
    return counted
  }

  async take(limit: number, holdMs: number) {
    const nowMs = this.nowMs()
    const due = [...this.watches]
      .filter(([, { lookMs }]) => lookMs <= nowMs)
      .sort(([, a], [, b]) => a.lookMs - b.lookMs)
      .slice(0, limit)
    const watches = due.map(([key, watch]): TakenWatch => {
      watch.lookMs = nowMs + holdMs
      const record = this.records.get(key)
      const { version, progress } = watch
      return { id: parseWatchKey(key), version, progress, ...(record && { record }) }
    })
    return { watches, nowMs }
  }

  async record({ id, version }: TakenWatch, { progress, news, nextLookMs }: Look, tells: boolean) {
    const key = watchKey(id)
    const watch = this.watches.get(key)
    if (watch?.version !== version || progress.cursorMs < watch.progress.cursorMs) return undefined
    this.counter += 1
    this.watches.set(key, { version: this.counter, progress, lookMs: Math.ceil(nextLookMs) })
    const told = news.flatMap((one) => this.apply(key, id, one, tells))
    return told.map(({ event, alert }) => ({ event, alert: shown(this.kept.get(alert.id) as KeptAlert) }))
  }

  async alerts({ state, after, limit }: { state?: AlertState; after?: string; limit: number }) {
    const found = [...this.kept.values()]
      .filter((alert) => state === undefined || alert.state === state)
      .filter((alert) => after === undefined || Number(alert.id) < Number(after))
      .sort((a, b) => Number(b.id) - Number(a.id))
    const alerts = found.slice(0, limit).map(shown)
    const next = found.length > limit ? alerts.at(-1)?.id : undefined
    return { alerts, nowMs: this.nowMs(), ...(next !== undefined && { next }) }
  }

  async openCounts(): Promise<Readonly<Record<AlertKind, number>>> {
    const counts = Object.fromEntries(ALERT_KINDS.map((kind) => [kind, 0])) as Record<AlertKind, number>
    for (const id of this.open.values()) counts[(this.kept.get(id) as KeptAlert).kind] += 1
    return counts
  }

  async outbox(ageMs: number, limit: number): Promise<readonly AlertsOutboxEntry[]> {
    const before = this.nowMs() - ageMs
    return [...this.pending]
      .filter(([, { sinceMs }]) => sinceMs <= before)
      .slice(0, limit)
      .map(([entry, { news }]) => ({ entry, news }))
  }

  async isUnqueued(entry: string): Promise<boolean> {
    return this.pending.has(entry)
  }

  async acknowledge(entry: string): Promise<void> {
    this.pending.delete(entry)
  }

  private begin(key: string, cursorMs: number): void {
    this.counter += 1
    this.watches.set(key, { version: this.counter, progress: { cursorMs, slots: [] }, lookMs: cursorMs })
  }

  async note({ kind, name, isWrong, sinceMs, detail }: FleetFact, tells: boolean) {
    const key = FLEET_WATCH + name
    const alert = this.openAlert(key, kind)
    if (isWrong === (alert !== undefined)) return undefined
    if (alert) return this.resolve(key, alert, detail, tells)
    this.counter += 1
    const nowMs = this.nowMs()
    const slot = new Date(sinceMs).toISOString()
    const opened: KeptAlert = {
      id: String(this.counter),
      system: FLEET_SYSTEM,
      name,
      kind,
      state: 'open',
      openedAtMs: nowMs,
      updatedAtMs: nowMs,
      count: 1,
      firstSlot: slot,
      lastSlot: slot,
      lastDueMs: nowMs,
      detail,
    }
    this.kept.set(opened.id, opened)
    this.open.set(`${key}~${kind}`, opened.id)
    return this.tell('opened', opened, tells)
  }

  async noted() {
    return fleetFactsIn(this.open.keys())
  }

  private apply(key: string, id: WatchId, news: SlotNews, tells: boolean): AlertNews[] {
    switch (news.kind) {
      case 'bad':
        return this.worsen(key, id, news, tells)
      case 'good':
        return ALERT_KINDS.flatMap((kind) => {
          const alert = this.openAlert(key, kind)
          const isEarlier = alert !== undefined && alert.lastDueMs < news.dueMs
          return isEarlier ? [this.resolve(key, alert, news.resolution, tells)] : []
        })
      case 'came': {
        const alert = this.openAlert(key, 'missed')
        return alert?.lastSlot === news.slot ? [this.resolve(key, alert, news.resolution, tells)] : []
      }
    }
  }

  private worsen(key: string, { system, name }: WatchId, news: SlotNews & { kind: 'bad' }, tells: boolean) {
    const nowMs = this.nowMs()
    const before = this.openAlert(key, news.alert)
    const { round, slot, dueMs, detail } = news
    const isLast = dueMs >= (before?.lastDueMs ?? 0)
    if (before === undefined) this.counter += 1
    const { lastRound: _, ...begun } = before ?? {
      id: String(this.counter),
      system,
      name,
      kind: news.alert,
      state: 'open' as const,
      openedAtMs: nowMs,
      count: 0,
      firstSlot: slot,
    }
    const last = isLast
      ? { lastSlot: slot, lastDueMs: dueMs, detail, ...(round !== undefined && { lastRound: round }) }
      : before
    const alert = { ...begun, ...last, count: begun.count + 1, updatedAtMs: nowMs } as KeptAlert
    this.kept.set(
      alert.id,
      isLast ? alert : { ...(before as KeptAlert), count: alert.count, updatedAtMs: nowMs },
    )
    this.open.set(`${key}~${news.alert}`, alert.id)
    return before === undefined ? [this.tell('opened', alert, tells)] : []
  }

  private openAlert(key: string, kind: AlertKind): KeptAlert | undefined {
    return this.kept.get(this.open.get(`${key}~${kind}`) ?? '')
  }

  private resolve(key: string, alert: KeptAlert, resolution: string, tells: boolean): AlertNews {
    const nowMs = this.nowMs()
    const resolved = {
      ...alert,
      state: 'resolved' as const,
      resolvedAtMs: nowMs,
      updatedAtMs: nowMs,
      resolution,
    }
    this.kept.set(alert.id, resolved)
    this.open.delete(`${key}~${alert.kind}`)
    return this.tell('resolved', resolved, tells)
  }

  private tell(event: AlertNews['event'], alert: KeptAlert, tells: boolean): AlertNews {
    const news = { event, alert: shown(alert) }
    if (tells) this.pending.set(deliveryId(news), { sinceMs: this.nowMs(), news })
    return news
  }
}

function shown({ lastDueMs: _, ...alert }: KeptAlert): Alert {
  return alert
}
