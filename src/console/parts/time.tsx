import { zone } from '../lib/choices.ts'
import { serverNowMs } from '../lib/clock.ts'
import { h, type VNode } from '../lib/preact.js'
import { moment, relative, utc } from '../lib/times.ts'

/** A moment: the clock, and under a day how long ago, with UTC in its title. */
export function Time({
  at,
  isShort = false,
}: {
  readonly at: string | number
  readonly isShort?: boolean
}): VNode {
  const ms = typeof at === 'number' ? at : Date.parse(at)
  const nowMs = serverNowMs()
  const isNear = Math.abs(ms - nowMs) < 86_400_000
  const ago = relative(ms, nowMs)
  return (
    <time dateTime={new Date(ms).toISOString()} title={`${utc(ms)}, ${ago}`}>
      {isShort ? ago : moment(ms, zone(), nowMs)}
      {!isShort && isNear && <span class="ago"> {ago}</span>}
    </time>
  )
}
