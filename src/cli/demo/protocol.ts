/** What a replica tells the demo. */
export type Told =
  | { readonly kind: 'ready' }
  /** Its call was answered, `ms` after the moment it asked. */
  | { readonly kind: 'lost'; readonly round: string; readonly ms: number }
  | { readonly kind: 'leads'; readonly round: string; readonly fence: number; readonly leader: string }
  | {
      readonly kind: 'reported'
      readonly round: string
      readonly fence: number
      readonly isRecorded: boolean
    }
  | { readonly kind: 'trouble'; readonly round: string; readonly message: string }
  /** It has no more to do with the round. */
  | { readonly kind: 'left'; readonly round: string }

/** What the demo tells a replica. */
export type Order =
  | { readonly kind: 'begin'; readonly url: string; readonly everyMs: number; readonly notBeforeMs: number }
  | { readonly kind: 'end' }

export const SYSTEM = 'demo'
export const LEASE_MS = 1_500
export const WARM_UP_MS = 300
