import { escapePart, type RoundId } from '../../core/rounds/round.ts'

/** The key of a round's record. */
export function recordKeyOf({ system, round }: RoundId): string {
  return `gone:{${escapePart(system)}}:round:${escapePart(round)}`
}

/** A key that the rounds of a system share: in the slot of their records. */
export function keyOf(system: string, name: string): string {
  return `gone:{${escapePart(system)}}:${name}`
}
