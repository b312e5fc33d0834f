import { keepCounts } from '../core/kept-counts.ts'
import type { FromServer, MetricJson, ServerProcess } from '../core/siblings.ts'
import { endsWithin } from '../waiting.ts'

/** A scrape waits no longer for one that does not answer, and takes what it has said last. */
const COUNTED_WITHIN_MS = 1_000

/** What the processes of a server have counted, those that have ended included. */
export class JointCounts {
  /** What each that lives has said last. */
  private readonly last = new Map<ServerProcess, readonly MetricJson[]>()
  private ended: readonly MetricJson[] = []
  private readonly asked = new Map<number, () => void>()
  private id = 0

  /** Asks these, and takes of others what they have said last. */
  async of(serving: readonly ServerProcess[]): Promise<readonly (readonly MetricJson[])[]> {
    await Promise.all(serving.map((process) => this.ask(process)))
    return [...this.last.values(), this.ended]
  }

  hear(process: ServerProcess, { id, counts }: Extract<FromServer, { kind: 'counted' }>): void {
    this.last.set(process, counts)
    this.asked.get(id)?.()
  }

  /** Keeps what it has counted, as far as that has been asked for: whoever reads sums has seen no more. */
  end(process: ServerProcess): void {
    this.ended = keepCounts(this.ended, this.last.get(process) ?? [])
    this.last.delete(process)
  }

  private async ask(process: ServerProcess): Promise<void> {
    this.id += 1
    const { id } = this
    const counted = new Promise<void>((resolve) => this.asked.set(id, resolve))
    process.tell({ kind: 'count', id })
    await endsWithin(COUNTED_WITHIN_MS, counted)
    this.asked.delete(id)
  }
}
