import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** How a process is started. It does not outlive this one. */
export interface Start {
  /** The words for node: its own options, the file, the file's arguments. See `program.ts`. */
  readonly args: readonly string[]
  /** Added to what finds programs, homes and temporary folders; of gone's settings it has these alone. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** What it reads; without it, nothing. */
  readonly stdin?: string
  /**
   * For a harness that may be killed: the process has a channel, whose end it is to watch, and a group of its own, so that
   * a Ctrl-C in the terminal is the harness' to hear.
   */
  readonly isTethered?: boolean
}

/** How a process ended, and all that it has printed. */
export interface Run {
  /** Null where a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that says when it is ready, and then is there until it is ended. */
export interface Process {
  readonly name: string
  readonly pid: number
  readonly child: ChildProcess
  /** Where it listens; empty for one that does not. */
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

export interface StartToBeReady extends Start {
  /** For messages, such as `gone serve`. */
  readonly name: string
  /** Each line that it prints. */
  readonly onLine?: (line: string) => void
  /** The first start on a machine without Redis fetches one. */
  readonly readyWithinMs?: number
}

/** One that takes places of pools has none to begin with. */
const READY = /"msg":"(?:listening|working)"|"pools":\d.*"msg":"supervising"/
const READY_WITHIN_MS = 55_000
const STOP_WITHIN_MS = 15_000
const MAX_COMPLAINT = 2_000

/** Starts a process whose output is read by the caller. */
export function spawnProcess({ args, env, cwd, stdin, isTethered = false }: Start): ChildProcess {
  const child = spawn(process.execPath, args, {
    env: { ...ownEnvironment(), ...env },
    stdio: [
      stdin === undefined ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(isTethered ? (['ipc'] as const) : []),
    ],
    detached: isTethered,
    ...(cwd !== undefined && { cwd }),
  })
  child.stdin?.end(stdin)
  RUNNING.add(child)
  child.once('exit', () => RUNNING.delete(child))
  return child
}

/** They end with us, however that comes. */
const RUNNING = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of RUNNING) child.kill('SIGKILL')
})

/** Runs a process to its end. */
export function endOf(child: ChildProcess): Promise<Run> {
  return new Promise((resolve, reject) => {
    let [stdout, stderr] = ['', '']
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Starts a process, and returns once it says that it listens or works. */
export async function startProcess(start: StartToBeReady): Promise<Process> {
  const { name } = start
  const child = spawnProcess(start)
  const ended = once(child, 'exit').then(() => undefined)
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const kill = async () => {
    if (hasEnded()) return
    child.kill('SIGKILL')
    await ended
  }
  const url = await whenReady(child, start).catch(async (error: unknown) => {
    await kill()
    throw error
  })
  return {
    name,
    pid: child.pid ?? -1,
    child,
    url,
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
    ended,
  }
}

/** The address in the line that says it is ready; empty where there is none. */
async function whenReady(child: ChildProcess, start: StartToBeReady): Promise<string> {
  const { name, onLine, readyWithinMs = READY_WITHIN_MS } = start
  let complaint = ''
  const complain = (text: string) => {
    complaint = (complaint + text).slice(-MAX_COMPLAINT)
  }
  child.stderr?.setEncoding('utf8').on('data', complain)
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })
  const ready = new Promise<string>((resolve) => {
    lines.on('line', (line) => {
      onLine?.(line)
      if (READY.test(line)) resolve(/"url":"([^"]+)"/.exec(line)?.[1] ?? '')
      else complain(`${line}\n`)
    })
  })
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended with ${signal ?? `code ${code}`}: ${complaint.trim() || 'no word'}`)
  })
  const patience = new AbortController()
  const late = sleep(readyWithinMs, undefined, { signal: patience.signal }).then(() => {
    throw new Error(
      `${name} was not ready within ${readyWithinMs / 1_000} s: ${complaint.trim() || 'no word'}`,
    )
  })
  late.catch(() => undefined)
  gone.catch(() => undefined)
  try {
    return await Promise.race([ready, gone, late])
  } finally {
    patience.abort()
  }
}

function ownEnvironment(): NodeJS.ProcessEnv {
  const { PATH = '', HOME = '', TMPDIR, XDG_CACHE_HOME, NODE_COMPILE_CACHE } = process.env
  return {
    PATH,
    HOME,
    ...(TMPDIR && { TMPDIR }),
    ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }),
    ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }),
  }
}
