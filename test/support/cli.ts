import type { ChildProcess } from 'node:child_process'
import { endOf, type Run, spawnProcess } from './processes.ts'
import { program } from './program.ts'

/** A real `gone ...`; of this process' environment it gets what finds programs and homes, and nothing of gone's. */
export function spawnCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { stdin, cwd }: { readonly stdin?: string; readonly cwd?: string } = {},
): ChildProcess {
  const words = [...program('src/cli/main.ts'), ...args]
  return spawnProcess({
    args: words,
    env,
    ...(stdin !== undefined && { stdin }),
    ...(cwd !== undefined && { cwd }),
  })
}

/** Runs it to its end. */
export function runCli(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Run> {
  return endOf(spawnCli(args, env))
}
