import type { SlotObserver } from './ticker.ts'

/** How many slots this process has accounted for, by what became of them. */
export class SlotTally implements SlotObserver {
  readonly counts = { submitted: 0, skipped: 0, missed: 0 }
  /** Called for each slot that was submitted. */
  onSubmitted: (latenessMs: number) => void = () => {}

  submitted(latenessMs: number): void {
    this.counts.submitted += 1
    this.onSubmitted(latenessMs)
  }

  leftOut(outcome: 'skipped' | 'missed', count: number): void {
    this.counts[outcome] += count
  }
}
