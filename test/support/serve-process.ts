import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { builtPath, LOADER } from './program.ts'

export interface ServeProcess {
  readonly url: string
  readonly child: ChildProcess
  /** SIGKILL; returns when it has ended. */
  kill(): Promise<void>
  /** SIGTERM, then waits for the end; returns the exit code. */
  stop(): Promise<number | null>
}

const MAIN = builtPath('src/cli/main.ts')
const WORKING = /"msg":"working"/
const STARTED_WITHIN_MS = 20_000

/**
 * A real `gone serve` of its own on a free port. `env` is added to this process' environment.
 *
 * @param skewMs how far its clock is ahead
 */
export function startServeProcess(env: Record<string, string>, skewMs = 0): Promise<ServeProcess> {
  const serve = [MAIN, 'serve', '--port', '0']
  if (skewMs === 0) return startProcess(serve, env)
  const skew = pathToFileURL(builtPath('test/support/skew.ts')).href
  return startProcess(['--import', skew, ...serve], { ...env, CLOCK_SKEW_MS: String(skewMs) })
}

/** A facade that is killed at one await, see `dying-facade.ts`. */
export function startDyingFacade(
  at: 'open' | 'close' | 'alert' | 'deliver',
  env: Record<string, string>,
): Promise<ServeProcess> {
  return startProcess([builtPath('test/support/dying-facade.ts'), at], env)
}

/** A real `gone work` of its own; its `url` is empty. */
export function startWorkProcess(folder: string, env: Record<string, string>): Promise<ServeProcess> {
  return startProcess([MAIN, 'work', folder], env)
}

async function startProcess(args: string[], env: Record<string, string>): Promise<ServeProcess> {
  const child = spawn(process.execPath, [...LOADER, ...args], {
    env: { ...process.env, GONE_LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // A test run that is killed takes its servers along.
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  child.once('exit', () => process.off('exit', endWithUs))

  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    return child.exitCode
  }
  return {
    url: await listeningUrl(child),
    child,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}

/** The address in the log line that says it listens. */
function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = (why: string) => reject(new Error(`gone serve ${why}: ${output}`))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail('did not start in time')
    }, STARTED_WITHIN_MS)
    const read = (chunk: Buffer) => {
      output += chunk
      const url =
        /"url":"([^"]+)".*"msg":"listening"/.exec(output)?.[1] ?? (WORKING.test(output) ? '' : undefined)
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', () => {
      clearTimeout(timer)
      fail('ended')
    })
  })
}
