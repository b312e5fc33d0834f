import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for all that a demo keeps, which goes as this process ends. */
export function makeDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'gone-demo-'))
  process.once('exit', () => removeDataDir(dataDir))
  return dataDir
}

/** Again and again for some seconds: Redis and the instances may still write to it, as they end a moment later. */
export function removeDataDir(dataDir: string): void {
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 })
}
