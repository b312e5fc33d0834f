import { type Command, Option } from 'commander'
import { whole } from '../core/expect.ts'
import { type KeyShares, USUAL_SHARES } from '../core/key-shares.ts'
import { by } from './option-values.ts'

/** What a key may use up, as options of `gone key create`. */
export function shareOptions(command: Command): Command {
  const { waits, schedules, queuedBytes } = USUAL_SHARES
  return command
    .addOption(share('--rate', 'requests a second, ten times as many at once (default: GONE_RATE_LIMIT)'))
    .addOption(share('--waits', `requests that wait at once (default: ${waits})`))
    .addOption(share('--submissions', 'submissions a minute (default: any number)'))
    .addOption(share('--schedules', `schedules, and as many expectations (default: ${schedules})`))
    .addOption(share('--queued-bytes', `bytes of data of jobs that have not ended (default: ${queuedBytes})`))
}

function share(flag: string, about: string): Option {
  const count = by(whole(1, Number.MAX_SAFE_INTEGER), 'a whole number from 1 on')
  return new Option(`${flag} <n>`, `its share: ${about}`).argParser(count)
}

/** Those that were given. */
export function sharesIn({ rate, waits, submissions, schedules, queuedBytes }: KeyShares): KeyShares {
  const given = { rate, waits, submissions, schedules, queuedBytes }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const WORDS: Readonly<Record<keyof KeyShares, string>> = {
  rate: 'requests a second',
  waits: 'waits',
  submissions: 'submissions a minute',
  schedules: 'schedules',
  queuedBytes: 'queued bytes',
}

/** What is other than usual, for people: `; 5 waits, 10 schedules`. */
export function formatShares(shares: KeyShares): string {
  const words = Object.entries(shares).map(([share, most]) => `${most} ${WORDS[share as keyof KeyShares]}`)
  return words.length > 0 ? `; ${words.join(', ')}` : ''
}
