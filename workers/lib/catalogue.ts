import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { GoneError } from '../../src/errors.ts'
import { Fields } from './fields.ts'

/** A command that jobs may ask for, by its name. */
export interface CatalogueEntry {
  /** The program, and what it is always given. */
  readonly command: readonly [string, ...string[]]
  /** Whether a job may add arguments. */
  readonly takesArgs: boolean
  readonly cwd?: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

export type Catalogue = ReadonlyMap<string, CatalogueEntry>

const MAX_TIMEOUT_MS = 7 * 86_400_000

/**
 * The commands of a JSON file such as `{ "backup": { "command": ["/usr/local/bin/backup", "--all"], "timeout": "10m" } }`.
 *
 * @throws GoneError `CONFIG` naming the file, the entry and the member
 */
export function readCatalogue(path: string): Catalogue {
  const toError = (message: string, cause?: unknown) =>
    new GoneError('CONFIG', `GONE_SHELL_CATALOGUE: ${path}: ${message}`, { cause })
  try {
    const entries: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) {
      throw toError('expected an object with an entry for each command')
    }
    return new Map(Object.entries(entries).map(([name, entry]) => [name, readEntry(name, entry, toError)]))
  } catch (error) {
    throw error instanceof GoneError ? error : toError((error as Error).message, error)
  }
}

function readEntry(name: string, entry: unknown, toError: (message: string) => Error): CatalogueEntry {
  const fields = new Fields(name, entry, ['command', 'args', 'cwd', 'env', 'timeout'], toError)
  const [program, ...rest] = fields.texts('command') ?? []
  // A relative path would be another program in another folder.
  if (!program || (program.includes('/') && !isAbsolute(program))) {
    throw fields.wrong('command', 'expected a list that starts with a name or an absolute path')
  }
  const cwd = fields.text('cwd')
  if (cwd !== undefined && !isAbsolute(cwd))
    throw fields.wrong('cwd', `expected an absolute path, got "${cwd}"`)
  const timeoutMs = fields.durationMs('timeout', MAX_TIMEOUT_MS)
  return {
    command: [program, ...rest],
    takesArgs: fields.flag('args') ?? false,
    env: fields.textMap('env') ?? {},
    ...(cwd !== undefined && { cwd }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  }
}
