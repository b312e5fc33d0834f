import { closeSync, openSync, readSync } from 'node:fs'
import type { Run } from './stories.ts'

const PIECE_BYTES = 1_048_576

/** What handlers have written down, read as it grows. */
export class RunFile {
  readonly runs: Run[] = []
  private readBytes = 0
  private rest = ''

  constructor(private readonly path: string) {}

  /** All of it until now. */
  read(): readonly Run[] {
    const file = openSync(this.path, 'r')
    try {
      const piece = Buffer.alloc(PIECE_BYTES)
      for (;;) {
        const bytes = readSync(file, piece, 0, piece.length, this.readBytes)
        if (bytes === 0) return this.runs
        this.readBytes += bytes
        const lines = (this.rest + piece.toString('latin1', 0, bytes)).split('\n')
        this.rest = lines.pop() ?? ''
        for (const line of lines) this.runs.push(JSON.parse(line) as Run)
      }
    } finally {
      closeSync(file)
    }
  }

  /** The rounds that this process has begun, and come to no end of. */
  inHandOf(pid: number): readonly string[] {
    const open = new Set<string>()
    for (const run of this.read()) {
      if (run.pid !== pid) continue
      if (run.phase === 'start') open.add(run.round)
      else open.delete(run.round)
    }
    return [...open]
  }
}
