import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process under test. */
export interface Process {
  readonly name: string
  readonly pid: number
  /** The facade's address; empty for others. */
  readonly url: string
  readonly isAlive: boolean
  /** SIGKILL; returns when it has ended. */
  kill(): Promise<void>
  /** SIGTERM, and what it exits with; by force after a while. */
  stop(): Promise<number | null>
  /** SIGSTOP: it keeps its connections and says nothing. */
  pause(): void
  resume(): void
  /** Returns when it has ended, in whatever way. */
  readonly ended: Promise<void>
}

export interface ProcessOptions {
  readonly name: string
  /** The tree whose code runs, as JavaScript. */
  readonly root: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Each line that it prints. */
  readonly onLine?: (line: string) => void
}

const START_WITHIN_MS = 30_000
const STOP_WITHIN_MS = 12_000
const MAX_COMPLAINT = 2_000
const READY = /"msg":"(?:listening|working)"/

/** Starts a process of the tree, and returns once it says that it listens or works. It does not outlive this process. */
export async function startProcess(options: ProcessOptions): Promise<Process> {
  const { name, root, file, args, env, onLine } = options
  const { PATH = '', HOME = '', XDG_CACHE_HOME } = process.env
  const preload = join(root, 'chaos/preload.js')
  const child = spawn(process.execPath, ['--import', preload, join(root, file), ...args], {
    cwd: root,
    env: { PATH, HOME, ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }), NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A Ctrl-C in the terminal is for the harness, which ends its processes in order.
    detached: true,
  })
  const killWithUs = () => child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const ended = once(child, 'exit').then(() => void process.off('exit', killWithUs))
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null

  const kill = async () => {
    if (hasEnded()) return
    child.kill('SIGKILL')
    await ended
  }
  const url = await whenReady(child, name, onLine).catch(async (error: unknown) => {
    await kill()
    throw error
  })
  return {
    name,
    url,
    pid: child.pid ?? -1,
    ended,
    get isAlive() {
      return !hasEnded()
    },
    kill,
    async stop() {
      if (hasEnded()) return child.exitCode
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
      await ended
      clearTimeout(force)
      return child.exitCode
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  }
}

/** The address in the log line that says it listens; empty for a worker. */
async function whenReady(
  child: ChildProcess,
  name: string,
  onLine?: (line: string) => void,
): Promise<string> {
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-MAX_COMPLAINT)
  })
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })
  const ready = new Promise<string>((resolve) => {
    lines.on('line', (line) => {
      onLine?.(line)
      if (READY.test(line)) resolve(/"url":"(http:[^"]+)"/.exec(line)?.[1] ?? '')
    })
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended with ${signal ?? `code ${code}`}: ${complaint.trim() || 'no word'}`)
  })
  const patience = new AbortController()
  const late = sleep(START_WITHIN_MS, undefined, { signal: patience.signal }).then(() => {
    throw new Error(`${name} was not ready within ${START_WITHIN_MS / 1_000} s`)
  })
  late.catch(() => undefined)
  ended.catch(() => undefined)
  try {
    return await Promise.race([ready, ended, late])
  } finally {
    patience.abort()
  }
}
