import type { LedRoundJson } from '../../core/rounds/round-wire.ts'
import type { RoundTold } from './protocol.ts'

interface Leadership {
  readonly replica: number
  readonly fence: number
  readonly leader: string
  wasKilled: boolean
}

/** One round as the replicas told of it. */
export interface LedgerRound {
  readonly round: string
  /** One for each 202, in the order they were told. */
  readonly leaderships: Leadership[]
  /** How long each loser's answer took. */
  readonly lostMs: number[]
  readonly completedBy: number[]
  readonly troubles: string[]
  /** Who has still to do with it. */
  readonly present: Set<number>
  /** What was not as promised; undefined while the round is under way. */
  faults?: readonly string[]
}

/** Keeps what the replicas tell, and judges whether it is what gone promises. */
export class Ledger {
  readonly rounds: LedgerRound[] = []

  /** @param max later rounds are not kept */
  constructor(private readonly max: number) {}

  /** Returns the round that was told of, if it is kept. */
  note(replica: number, told: RoundTold): LedgerRound | undefined {
    const round = this.rounds.find(({ round }) => round === told.round) ?? this.open(told.round)
    if (round === undefined) return undefined
    if (told.kind === 'left') round.present.delete(replica)
    else round.present.add(replica)
    switch (told.kind) {
      case 'lost':
        round.lostMs.push(told.ms)
        break
      case 'leads':
        round.leaderships.push({ replica, fence: told.fence, leader: told.leader, wasKilled: false })
        break
      case 'reported':
        if (told.isRecorded) round.completedBy.push(replica)
        break
      case 'trouble':
        round.troubles.push(told.message)
    }
    return round
  }

  /** Returns the rounds that it was killed in. */
  noteKilled(replica: number): LedgerRound[] {
    const left = this.rounds.filter(({ present }) => present.delete(replica))
    for (const { leaderships } of left) {
      const last = leaderships.at(-1)
      if (last?.replica === replica) last.wasKilled = true
    }
    return left
  }

  judged(): LedgerRound[] {
    return this.rounds.filter((round) => round.faults !== undefined)
  }

  private open(round: string): LedgerRound | undefined {
    if (this.rounds.length >= this.max) return undefined
    const opened = {
      round,
      leaderships: [],
      lostMs: [],
      completedBy: [],
      troubles: [],
      present: new Set<number>(),
    }
    this.rounds.push(opened)
    return opened
  }
}

/** True once the work was done and every replica knows. */
export function isOver({ completedBy, present }: LedgerRound): boolean {
  return completedBy.length > 0 && present.size === 0
}

/** What of the promises was broken, by the replicas' word and by the record; nothing if all is well. */
export function faultsOf(round: LedgerRound, record?: LedRoundJson): string[] {
  const { leaderships, completedBy } = round
  const faults: string[] = []
  if (leaderships.length === 0) faults.push('nobody was told to lead')
  for (const [index, { fence, replica }] of leaderships.entries()) {
    const before = leaderships.slice(0, index)
    const twin = before.find((other) => other.fence === fence)
    if (twin)
      faults.push(`replicas ${twin.replica} and ${replica} were both told to lead under fence ${fence}`)
    else if (before.some((other) => other.fence > fence))
      faults.push(`fence ${fence} came after a higher one`)
  }
  if (completedBy.length !== 1) faults.push(`recorded as completed for ${completedBy.length} replicas`)
  const last = leaderships.at(-1)
  if (record?.fence !== last?.fence || record?.leader !== last?.leader) {
    faults.push(`the record says ${record?.leader ?? 'nobody'} led it (fence ${record?.fence ?? 'none'})`)
  }
  if (record?.state !== 'completed') faults.push(`the record says it is ${record?.state ?? 'unknown'}`)
  return faults
}

/** What was seen, in a few lines; or else what was not as promised. */
export function summaryOf(rounds: readonly LedgerRound[]): string {
  if (rounds.length === 0) return 'No round was over yet.'
  const faulty = rounds.filter(({ faults = [] }) => faults.length > 0)
  const takeovers = rounds.filter(({ leaderships }) => leaderships.length > 1).length
  const lostMs = rounds.flatMap((round) => round.lostMs)
  const lines = [
    faulty.length === 0
      ? `${count(rounds.length, 'round')}: one leader under each fence, each round completed once.`
      : `NOT AS PROMISED in ${faulty.length} of ${count(rounds.length, 'round')}:`,
    ...faulty.map(({ round, faults = [] }) => `  ${round}: ${faults.join('; ')}`),
  ]
  if (takeovers > 0) {
    lines.push(`${count(takeovers, 'takeover')}: two leaders in one round, one after the other, the second`)
    lines.push('under a higher fence. So it should be: the first was silent, being dead.')
  }
  if (lostMs.length > 0) {
    const [mid, max] = [median(lostMs), Math.max(...lostMs)].map((ms) => ms.toFixed(1))
    lines.push(`${count(lostMs.length, 'loser')} told in ${mid} ms (median), ${max} ms at most.`)
  }
  return lines.join('\n')
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}
