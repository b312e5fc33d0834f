import { type FileHandle, open } from 'node:fs/promises'
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
  /** Writes a line in its turn; one that cannot be written is in the log, and the next is tried again. */
  note(change: Change | CommandChange): void
  /** Returns when the line is on the disk. @throws GoneError `CONFIG` if it cannot be written */
  write(change: Change | CommandChange): Promise<void>
  /** Returns when all lines are written. */
  stop(): Promise<void>
}

/** One line of JSON for each change, at the end of the file. @throws GoneError `CONFIG` if it cannot be written */
export async function openAuditLog(path: string, log: Log): Promise<AuditLog> {
  const file = new LinesFile(path)
  const refused = (cause: unknown) =>
    new GoneError('CONFIG', `GONE_AUDIT_LOG: cannot write ${path}: ${String(cause)}`, { cause })
  try {
    await file.open()
  } catch (cause) {
    throw refused(cause)
  }
  let turn = Promise.resolve()
  const inTurn = (write: () => Promise<void>): Promise<void> => {
    const written = turn.then(write)
    turn = written.catch(() => undefined)
    return written
  }
  return {
    note(change) {
      const line = lineOf(change)
      inTurn(() => file.write(line)).catch((error: unknown) =>
        log.error({ cause: String(error), change }, 'audit log not written'),
      )
    },
    write: (change) =>
      inTurn(async () => {
        await file.write(lineOf(change))
        await file.sync()
      }).catch((cause: unknown) => {
        throw refused(cause)
      }),
    stop: () => inTurn(() => file.close()),
  }
}

function lineOf(change: Change | CommandChange): string {
  return JSON.stringify({ time: new Date().toISOString(), ...change })
}

/** A file to whose end lines are written. After an error it is opened anew: what was wrong may be over. */
class LinesFile {
  private file: FileHandle | undefined
  private isTorn = false

  constructor(private readonly path: string) {}

  async open(): Promise<FileHandle> {
    this.file ??= await open(this.path, 'a', 0o600)
    return this.file
  }

  async write(line: string): Promise<void> {
    const file = await this.open()
    // What a full disk took of another line stands alone.
    let rest = Buffer.from(`${this.isTorn ? '\n' : ''}${line}\n`)
    try {
      while (rest.length > 0) {
        const { bytesWritten } = await file.write(rest)
        rest = rest.subarray(bytesWritten)
        this.isTorn = rest.length > 0
      }
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async sync(): Promise<void> {
    await this.file?.datasync()
  }

  async close(): Promise<void> {
    const { file } = this
    this.file = undefined
    await file?.close().catch(() => undefined)
  }
}
