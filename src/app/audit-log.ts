import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Log } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import type { Change } from '../http/access/audit.ts'

/** A change that a command made in Redis itself, past every server. */
export interface CommandChange {
  /** Without its options. */
  readonly command: string
  /** Who ran it, as this machine knows them, and where. */
  readonly user: string
  readonly host: string
  /** The id of the key that it was about. */
  readonly key?: string
  /** What became of it. */
  readonly outcome: string
}

export interface AuditLog {
  note(change: Change | CommandChange): void
  /** Returns when all lines are written. */
  stop(): Promise<void>
}

/** One line of JSON for each change, at the end of the file. @throws GoneError `CONFIG` if it cannot be written */
export async function openAuditLog(path: string, log: Log): Promise<AuditLog> {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
  try {
    await once(stream, 'open')
  } catch (cause) {
    throw new GoneError('CONFIG', `GONE_AUDIT_LOG: cannot write ${path}: ${String(cause)}`, { cause })
  }
  stream.on('error', (error) => log.error({ cause: String(error) }, 'audit log not written'))
  return {
    note: (change) => void stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...change })}\n`),
    stop: () => new Promise((resolve) => stream.end(() => resolve())),
  }
}
