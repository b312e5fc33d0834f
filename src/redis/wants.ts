/**
 * When what is kept under a key wants something done: `any`, there is something; `more`, a sorted set has more members than so many;
 * `others`, one besides those that begin with `~`, of which there are so many;
 * `by`, its lowest score is so many ms from now at most; `since`, its highest is not older.
 */
export interface Want {
  readonly key: string
  readonly when: 'any' | 'more' | 'others' | 'by' | 'since'
  readonly than: number
}

/** How long before something is due it is wanted: every server hears of it by then, and has begun to look. */
const LEAD_MS = 10_000

export function wantedIfAny(key: string): Want {
  return { key, when: 'any', than: 0 }
}

/** @param lateMs how long after its time it is to be done */
export function wantedBy(key: string, lateMs = 0): Want {
  return { key, when: 'by', than: LEAD_MS - lateMs }
}
