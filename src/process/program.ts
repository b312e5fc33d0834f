import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { callAfter } from '../waiting.ts'

/**
 * Starts a program of this package as a child that can be written to. What it prints on stderr can be read, nothing else.
 *
 * @param program its source, beside the caller's: `new URL('./replica.ts', import.meta.url)`
 * @param isApart in a group of its own, which a Ctrl-C in the terminal does not reach
 */
export function forkProgram(program: URL, args: readonly string[], isApart = false): ChildProcess {
  // Under tsx its loader is in process.execArgv, and fork hands it on.
  return fork(programPath(program), args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: isApart })
}

/** Where a program of this package is: as this file, `.ts` where tsx runs the sources, `.js` in what `tsc` made of them. */
export function programPath(program: URL): string {
  const source = fileURLToPath(program)
  return import.meta.url.endsWith('.ts') ? source : source.replace(/\.ts$/, '.js')
}

/** Resolves when the child, which was told to end, has ended: by force after `ms`. */
export async function endsOrIsKilled(child: ChildProcess, ms: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const callOff = callAfter(ms, () => child.kill('SIGKILL'))
  await once(child, 'exit')
  callOff()
}
