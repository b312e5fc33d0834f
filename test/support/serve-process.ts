import { pathToFileURL } from 'node:url'
import { type Process, startProcess } from './processes.ts'
import { builtPath, program } from './program.ts'

const MAIN = 'src/cli/main.ts'

/**
 * A real `gone serve` of its own on a free port, with these settings.
 *
 * @param skewMs how far its clock is ahead
 */
export function startServeProcess(env: Record<string, string>, skewMs = 0): Promise<Process> {
  return startSkewed('gone serve', [...program(MAIN), 'serve', '--port', '0'], env, skewMs)
}

/** A facade that is killed at one await of so many rounds, see `dying-facade.ts`. */
export function startDyingFacade(
  at: 'decide' | 'show' | 'alert' | 'deliver',
  env: Record<string, string>,
  rounds = 1,
): Promise<Process> {
  return start('dying facade', [...program('test/support/dying-facade.ts'), at, String(rounds)], env)
}

/**
 * A real `gone work` of its own.
 *
 * @param skewMs how far its clock is ahead
 */
export function startWorkProcess(folder: string, env: Record<string, string>, skewMs = 0): Promise<Process> {
  return startSkewed('gone work', [...program(MAIN), 'work', folder], env, skewMs)
}

function startSkewed(
  name: string,
  args: readonly string[],
  env: Record<string, string>,
  skewMs: number,
): Promise<Process> {
  if (skewMs === 0) return start(name, args, env)
  const skew = pathToFileURL(builtPath('test/support/skew.ts')).href
  return start(name, ['--import', skew, ...args], { ...env, CLOCK_SKEW_MS: String(skewMs) })
}

function start(name: string, args: readonly string[], env: Record<string, string>): Promise<Process> {
  return startProcess({ name, args, env: { GONE_LOG_LEVEL: 'info', ...env } })
}
