import { type ChildProcess, spawn } from 'node:child_process'
import { program } from './program.ts'

export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A real `gone ...`; of this process' environment it gets what finds programs and homes, and nothing of gone's. */
export function spawnCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { stdin }: { readonly stdin?: string } = {},
): ChildProcess {
  const { PATH = '', HOME = '', XDG_CACHE_HOME } = process.env
  const child = spawn(process.execPath, [...program('src/cli/main.ts'), ...args], {
    env: { PATH, HOME, ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }), ...env },
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(stdin)
  // A test run that is killed takes its processes along.
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  child.once('exit', () => process.off('exit', endWithUs))
  return child
}

/** Runs it to its end. */
export function runCli(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliRun> {
  return endOf(spawnCli(args, env))
}

export function endOf(child: ChildProcess): Promise<CliRun> {
  return new Promise((resolve, reject) => {
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr?.on('data', (chunk) => {
      stderr += chunk
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
