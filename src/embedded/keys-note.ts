import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** That API keys are in use, as a file beside the data: so it outlives a Redis that has lost or been relieved of its own. */
export class KeysNote {
  private readonly path: string

  constructor(dataDir: string) {
    this.path = join(dataDir, 'keys-in-use')
  }

  isThere(): boolean {
    return existsSync(this.path)
  }

  leave(): void {
    try {
      writeFileSync(this.path, 'API keys are in use. "gone key disable" is the way back.\n', { mode: 0o600 })
    } catch {
      // A full disk. Redis has it too.
    }
  }

  remove(): void {
    rmSync(this.path, { force: true })
  }
}
