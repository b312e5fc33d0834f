import { join } from 'node:path'
import { type Process, startProcess } from '../test/support/processes.ts'

export interface TreeProcess {
  readonly name: string
  /** The tree whose code runs, as JavaScript. */
  readonly root: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Each line that it prints. */
  readonly onLine?: (line: string) => void
}

/** Starts a process of the tree under the harness' preload, and returns once it says that it listens or works. */
export function startTreeProcess({ name, root, file, args, env, onLine }: TreeProcess): Promise<Process> {
  const words = ['--import', join(root, 'chaos/preload.js'), join(root, file), ...args]
  return startProcess({
    name,
    args: words,
    cwd: root,
    env: { NODE_ENV: 'production', ...env },
    isTethered: true,
    ...(onLine && { onLine }),
  })
}
