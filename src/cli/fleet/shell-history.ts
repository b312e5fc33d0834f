import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const LINES = 500
const OWNER_ONLY = 0o600

/** What was typed before, oldest first, in a file that its owner alone reads. Where that cannot be written, nothing is kept. */
export class ShellHistory {
  readonly lines: readonly string[]
  private last: string | undefined

  constructor(private readonly file: string = historyFile(process.env)) {
    const all = readLines(file)
    this.lines = all.slice(-LINES)
    this.last = this.lines.at(-1)
    this.keep(() => {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      // The mode is that of a new file only.
      if (all.length > LINES) writeFileSync(file, textOf(this.lines), { mode: OWNER_ONLY })
      else appendFileSync(file, '', { mode: OWNER_ONLY })
      chmodSync(file, OWNER_ONLY)
    })
  }

  /** A line that begins with a space is not kept, as in other shells, nor one that is typed again. */
  add(line: string): void {
    if (line === this.last || !/^\S/.test(line)) return
    this.last = line
    this.keep(() => appendFileSync(this.file, textOf([line]), { mode: OWNER_ONLY }))
  }

  private keep(write: () => void): void {
    try {
      write()
    } catch {
      // A home that is read-only, or none: the shell is as good without.
    }
  }
}

function historyFile({ XDG_STATE_HOME }: NodeJS.ProcessEnv): string {
  return join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'gone', 'fleet-history')
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean)
  } catch {
    return []
  }
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
