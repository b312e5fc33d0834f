import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Asset, ConsoleAssets } from '../http/pages/assets.ts'

/** Beside what is compiled of `src`, and where the tree's own servers have it. */
const FOLDERS = ['../../console', '../../.built/console'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
)

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}

let read: ConsoleAssets | undefined

/** The console as it was built, read when it is first asked for; undefined if it was not. */
export function consoleAssets(): ConsoleAssets | undefined {
  if (read !== undefined) return read
  const folder = FOLDERS.find((path) => existsSync(join(path, 'main.js')))
  if (folder === undefined) return undefined
  const hash = createHash('sha256')
  const files = new Map<string, Asset>()
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name)
    const type = TYPES[extname(name)]
    if (type === undefined || !statSync(path).isFile()) continue
    const body = readFileSync(path)
    hash.update(`${name} ${body.length}\n`).update(body)
    files.set(name.replaceAll('\\', '/'), { type, body, gzipped: gzipSync(body, { level: 9 }) })
  }
  read = { hash: hash.digest('hex').slice(0, 16), files }
  return read
}
