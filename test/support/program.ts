import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Set where the tree was compiled for the whole run of the tests; a single program runs its sources, through tsx. */
const { BUILT_TREE } = process.env

/** What node is told before a program of the tree. */
export const LOADER: readonly string[] =
  BUILT_TREE === undefined ? ['--import', import.meta.resolve('tsx')] : []

/** A file or folder of this tree as processes run it, such as `src/cli/main.ts`. */
export function builtPath(path: string): string {
  return BUILT_TREE === undefined ? join(ROOT, path) : join(BUILT_TREE, path.replace(/\.ts$/, '.js'))
}

/** The words for node that start a program of this tree. */
export function program(path: string): string[] {
  return [...LOADER, builtPath(path)]
}
