import type { Action } from '../../core/api-key.ts'

/** Who looks, and what they may do. */
export interface Me {
  /** Missing where none is needed. */
  readonly key?: {
    readonly id: string
    readonly name: string
    readonly actions: readonly Action[]
    readonly systems: readonly string[]
  }
  readonly may: { readonly elect: boolean; readonly submit: boolean; readonly operate: boolean }
  readonly version: string
}
