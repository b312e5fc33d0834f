import { type RoundId, roundKey } from '../core/rounds/round.ts'

export const CHANNEL_PREFIX = 'gone:finished:'

/** Where the completion of a round is announced. One channel a round, so that nobody hears of rounds it does not wait for. */
export function roundChannel(id: RoundId): string {
  return `${CHANNEL_PREFIX}${roundKey(id)}`
}

/** Where one process is told the ends of the calls that it has made. No round has such a key. */
export function earChannel(name: string): string {
  return `${CHANNEL_PREFIX}~${name}`
}
