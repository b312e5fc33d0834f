import type { Rule } from './checker.ts'
import type { World } from './world.ts'

export interface Scenario {
  readonly name: string
  /** One line: what a run of it shows. */
  readonly proves: string
  /** Rules of which one must be seen broken: what is not survived, and is said so. */
  readonly breaks?: readonly Rule[]
  /** Part of the short form. */
  readonly isShort?: true
  /** Longer than that it hangs. Default: some minutes. */
  readonly mayTakeMs?: number
  /** @param size how many rounds to play where more of them show more: 1 as usual, less in the short form */
  run(world: World, size: number): Promise<void>
}

/** What a scenario needs is not here: that proves nothing, neither for nor against. */
export class CannotRun extends Error {}
