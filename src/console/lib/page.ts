import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import type { Source } from './follow.ts'
import type { Me } from './me.ts'
import type { VNode } from './preact.js'

export interface OpenAlerts {
  readonly alerts: readonly AlertJson[]
  readonly next?: string
}

/** What every page is given. */
export interface Ground {
  readonly me: Source<Me>
  readonly open: Source<OpenAlerts>
}

/** A page of the console: its address has chosen it, and holds all that it shows. */
export interface Page {
  readonly title: string
  readonly view: () => VNode
}
