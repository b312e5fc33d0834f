import { randomUUID } from 'node:crypto'
import type { StoreBeat, StoreLoss, StoreMark, StoreMarks } from '../core/rounds/round-ports.ts'

/** A mark as the store has it: which it is, how far all have counted, and the last of each process. */
export interface MemoryMark {
  readonly id: string
  readonly beat: number
  readonly kept: Readonly<Record<string, { readonly beat: number; readonly atMs: number }>>
}

/** As in beat.lua: a process that far behind was stopped for days, and has lost nothing by that. */
const LEFT_BEHIND = 100_000

/** The twin of RedisMarks in memory, for tests of what stands on marks: one process on marks that it shares with others. */
export class MemoryMarks implements StoreMarks {
  private readonly process = randomUUID()

  /** @param marks what all processes share; whoever empties it or puts back what was there loses what they counted */
  constructor(
    private readonly marks: Map<string, MemoryMark>,
    private readonly nowMs: () => number,
    readonly parts: readonly string[] = ['store'],
    private readonly isWanted: () => boolean = () => true,
  ) {}

  async beat(part: string, known: StoreMark | undefined): Promise<StoreBeat> {
    const nowMs = this.nowMs()
    const before = this.marks.get(part)
    const beat = (before?.beat ?? 0) + 1
    const own = before?.kept[this.process]
    const loss = known && lossOf(known, before, own?.beat ?? 0, beat)
    const id = before === undefined || loss === 'setBack' ? randomUUID() : before.id
    const others = known === undefined ? livingOf(before?.kept ?? {}, beat) : before?.kept
    this.marks.set(part, { id, beat, kept: { ...others, [this.process]: { beat, atMs: nowMs } } })
    return {
      mark: { id, beat },
      nowMs,
      isWanted: this.isWanted(),
      ...(loss && { loss }),
      ...(own && { keptAtMs: own.atMs }),
    }
  }
}

function lossOf(
  known: StoreMark,
  before: MemoryMark | undefined,
  ownBeat: number,
  beat: number,
): StoreLoss | undefined {
  if (before === undefined) return 'emptied'
  if (before.id !== known.id) return 'another'
  return ownBeat < known.beat && beat - known.beat < LEFT_BEHIND ? 'setBack' : undefined
}

function livingOf(kept: MemoryMark['kept'], beat: number): MemoryMark['kept'] {
  return Object.fromEntries(Object.entries(kept).filter(([, last]) => beat - last.beat < LEFT_BEHIND))
}
