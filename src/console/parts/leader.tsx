import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { h, type VNode } from '../lib/preact.js'

/** What the leader calls itself, with its address in the title; the address where it has not said. */
export function Leader({ round }: { readonly round: RoundJson }): VNode {
  return <span title={round.leader}>{leaderOf(round)}</span>
}

export function leaderOf(round: RoundJson): string {
  return leaderNameOf(round) ?? round.leader ?? '–'
}

export function leaderNameOf(round: RoundJson): string | undefined {
  return 'leaderName' in round ? round.leaderName : undefined
}
