import type { RoundState } from '../rounds/record.ts'
import { iso } from '../rounds/round-wire.ts'
import { durationText } from '../time/duration.ts'
import type { DstPolicy } from '../time/timetable.ts'
import type { Alert, AlertKind, AlertNews, AlertState } from './alert.ts'
import type { ExpectationRecord } from './alert-ports.ts'

/** What is put: cron or every, and what its rounds must keep to. Durations are texts like `5m`. */
export interface ExpectationBody {
  readonly cron?: string
  readonly every?: string
  readonly tz?: string
  readonly dst?: Partial<DstPolicy>
  readonly grace: string
  readonly late?: string
  readonly replicas?: number
}

/** An expectation as HTTP shows it. Times are ISO 8601 of the record store's clock. */
export interface ExpectationJson extends ExpectationBody {
  readonly system: string
  readonly name: string
  readonly tz: string
  readonly dst: DstPolicy
  readonly createdAt: string
  readonly updatedAt: string
  readonly now: string
}

/** An alert as HTTP and webhooks show it. */
export interface AlertJson {
  readonly id: string
  readonly system: string
  /** The expectation's or the schedule's. */
  readonly name: string
  readonly kind: AlertKind
  readonly state: AlertState
  readonly openedAt: string
  readonly updatedAt: string
  /** How many slots have shown it. */
  readonly count: number
  readonly firstSlot: string
  readonly lastSlot: string
  readonly lastRound?: string
  /** What is wrong with the last bad slot, for people. */
  readonly detail: string
  readonly resolvedAt?: string
  readonly resolution?: string
}

/** A slot of an expectation as HTTP shows it. */
export interface ExpectedSlotJson {
  readonly slot: string
  /** When it was due. */
  readonly at: string
  /** The round that came for it; missing if none did. */
  readonly round?: string
  readonly state?: RoundState
  readonly cameAt?: string
  /** What is wrong with it, by the kinds of alerts. */
  readonly wrong: readonly AlertKind[]
  /** True as long as what happens may change that. */
  readonly isOpen: boolean
  /** What those are called who asked for it, where they are counted. */
  readonly candidates?: readonly string[]
}

/** The body of a webhook. The same `id` is the same news, told again. */
export interface AlertNewsJson {
  readonly id: string
  readonly event: AlertNews['event']
  readonly alert: AlertJson
}

export function expectationJson({
  system,
  name,
  expectation,
  createdAtMs,
  updatedAtMs,
}: ExpectationRecord): Omit<ExpectationJson, 'now'> {
  const { timetable, graceMs, lateMs, replicas } = expectation
  const { cron, everyMs, tz, dst } = timetable
  return {
    system,
    name,
    ...(cron !== undefined && { cron }),
    ...(everyMs !== undefined && { every: durationText(everyMs) }),
    tz,
    dst,
    grace: durationText(graceMs),
    ...(lateMs !== undefined && { late: durationText(lateMs) }),
    ...(replicas !== undefined && { replicas }),
    createdAt: iso(createdAtMs),
    updatedAt: iso(updatedAtMs),
  }
}

export function alertJson({ openedAtMs, updatedAtMs, resolvedAtMs, resolution, ...alert }: Alert): AlertJson {
  const { id, system, name, kind, state, count, firstSlot, lastSlot, lastRound, detail } = alert
  return {
    id,
    system,
    name,
    kind,
    state,
    openedAt: iso(openedAtMs),
    updatedAt: iso(updatedAtMs),
    count,
    firstSlot,
    lastSlot,
    ...(lastRound !== undefined && { lastRound }),
    detail,
    ...(resolvedAtMs !== undefined && { resolvedAt: iso(resolvedAtMs) }),
    ...(resolution !== undefined && { resolution }),
  }
}

export function alertNewsJson(news: AlertNews): AlertNewsJson {
  const { event, alert } = news
  // Receivers hear of other stores too, whose numbers are the same.
  return { id: `${alert.id}-${alert.openedAtMs}-${event}`, event, alert: alertJson(alert) }
}
