import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { serverNowMs } from '../lib/clock.ts'
import type { ComponentChildren } from '../lib/preact.js'
import { duration } from '../lib/times.ts'

export function roundKeyOf({ system, round }: Pick<RoundJson, 'system' | 'round'>): string {
  return `${system}/${round}`
}

/** When it came: was submitted, or else led. */
export function cameAt(round: RoundJson): string | undefined {
  return round.job?.submittedAt ?? ledAt(round)
}

function ledAt(round: RoundJson): string | undefined {
  return 'electedAt' in round ? round.electedAt : undefined
}

/** For how long it has been led, or was. Of one that waits: for how long it waits. */
export function tookMs(round: RoundJson): number | undefined {
  const from = ledAt(round) ?? round.job?.submittedAt
  if (from === undefined) return undefined
  const until = round.completion?.at
  return Math.max(0, (until === undefined ? serverNowMs() : Date.parse(until)) - Date.parse(from))
}

export function took(round: RoundJson): string {
  const ms = tookMs(round)
  return ms === undefined ? '–' : duration(ms)
}

/** What came out of it, on one line. */
export function ended({ completion, state }: RoundJson): ComponentChildren {
  if (completion === undefined)
    return state === 'submitted' || state === 'open' ? 'waits' : state === 'led' ? 'runs' : 'not reported'
  if (completion.outcome === 'failed') return completion.reason ?? 'failed, no reason given'
  return completion.result === undefined ? '' : oneLine(completion.result)
}

function oneLine(result: unknown): string {
  const text = JSON.stringify(result, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}
