import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConsoleAssets } from '../http/pages/assets.ts'

/** Beside what is compiled of `src`, and where the tree's own servers have it. */
const FOLDERS = ['../../console', '../../.built/console'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
)
const ICONS = ['icon.svg', 'icon-bad.svg']

let read: ConsoleAssets | undefined

/** The console as it was built, read when it is first asked for; undefined if it was not. */
export function consoleAssets(): ConsoleAssets | undefined {
  if (read !== undefined) return read
  const folder = FOLDERS.find((path) => existsSync(join(path, 'main.js')))
  if (folder === undefined) return undefined
  const icons = ICONS.map((name) => [name, readFileSync(join(folder, name))] as const)
  read = {
    script: readFileSync(join(folder, 'main.js'), 'utf8'),
    style: readFileSync(join(folder, 'style.css'), 'utf8'),
    icons: new Map(icons),
  }
  return read
}
