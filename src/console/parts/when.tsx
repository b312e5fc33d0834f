import type { ScheduleBody } from '../../core/schedules/schedule-wire.ts'
import { cronWords } from '../lib/cron-words.ts'
import { h, type VNode } from '../lib/preact.js'

type Timing = Pick<ScheduleBody, 'cron' | 'every' | 'at'>

/** When a schedule is due: in words where there are some, and as it was written. */
export function When({ of: { cron, every, at } }: { readonly of: Timing }): VNode {
  if (every !== undefined) return <span>every {every}</span>
  if (cron === undefined) return <span>once, {at}</span>
  const words = cronWords(cron)
  return (
    <span>
      {words} <code class="quiet">{cron}</code>
    </span>
  )
}
