/** How far the servers' clock is ahead of this computer's; relative times are counted by theirs. */
let aheadMs = 0

/** Beyond this a person is told that their computer's clock is wrong. */
const WRONG_MS = 60_000

/** @param iso the `now` of an answer */
export function noteServerTime(iso: string): void {
  const ms = Date.parse(iso)
  if (!Number.isNaN(ms)) aheadMs = ms - Date.now()
}

export function serverNowMs(): number {
  return Date.now() + aheadMs
}

/** How far this computer's clock is from the servers', where that is much. */
export function wrongByMs(): number | undefined {
  return Math.abs(aheadMs) > WRONG_MS ? -aheadMs : undefined
}
