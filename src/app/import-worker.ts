import { createRequire } from 'node:module'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Imports the file of a worker. Where Node does not read TypeScript by itself (before 22.18), the `tsx` of the worker's own
 * project does, or else that of the folder in which it was started.
 */
export async function importWorker(path: string): Promise<unknown> {
  if (extname(path) === '.ts' && !readsTypeScript()) await registerTsx(path)
  return import(pathToFileURL(path).href)
}

/** Also where a loader reads it: then this file is one of those. */
function readsTypeScript(): boolean {
  const { typescript } = process.features as { typescript?: string | false }
  return Boolean(typescript) || import.meta.url.endsWith('.ts')
}

let registered: Promise<unknown> | undefined

/** Imported, it reads from then on what is imported after it. */
function registerTsx(path: string): Promise<unknown> {
  registered ??= import(pathToFileURL(findTsx(path)).href)
  return registered
}

function findTsx(path: string): string {
  for (const from of [path, resolve('package.json')]) {
    const found = resolveFrom(from)
    if (found !== undefined) return found
  }
  throw new Error(
    `Node ${process.versions.node} does not read TypeScript; install tsx beside it, run Node 22.18 or newer, or compile it to .mjs`,
  )
}

function resolveFrom(file: string): string | undefined {
  try {
    return createRequire(file).resolve('tsx')
  } catch {
    return undefined
  }
}
