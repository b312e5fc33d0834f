import { existsSync, readFileSync } from 'node:fs'

/** Beside `src` in the tree, one further up from what is compiled of it. */
const MANIFESTS = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url))

/** The version of this package. */
export const VERSION = (
  JSON.parse(readFileSync(MANIFESTS.find((path) => existsSync(path)) as URL, 'utf8')) as { version: string }
).version
