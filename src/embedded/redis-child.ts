import type { ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { signalGroup } from '../process/group.ts'
import { LOCKED, spawnTethered } from '../process/tether.ts'
import { callAfter, endsWithin } from '../waiting.ts'
import type { RedisServerBinary } from './redis-server.ts'

export type RedisAddress = { readonly path: string } | { readonly port: number }

/** The same for a client. */
export type Reached = { readonly path: string } | { readonly host: string; readonly port: number }

export function reachedAt(address: RedisAddress): Reached {
  return 'path' in address ? address : { host: '127.0.0.1', port: address.port }
}

interface RedisStart {
  readonly binary: RedisServerBinary
  readonly address: RedisAddress
  /** where its files are; it has to exist */
  readonly dir: string
  /** what it prints is appended here */
  readonly logFile: string
  /** held by the server for as long as it lives, and by nobody else; no lock if it is not given */
  readonly lockFile?: string
  /** further settings, such as `['--appendonly', 'yes']` */
  readonly args: readonly string[]
}

/** A started server process, see {@link spawnRedis}. */
export interface RedisChild {
  readonly pid: number
  /** resolves when the process has ended, with how: `SIGKILL`, `code 1` */
  readonly exited: Promise<string>
  /**
   * Waits until it answers, 10 s at the most, and for as long as it says that it loads its data; it is stopped where it
   * does not, or says nothing for 60 s.
   *
   * @param onLoading told every 10 s how much of them it has, such as `42.17`
   */
  ready(onLoading: (percent: string) => void): Promise<Readiness>
  kill(signal: NodeJS.Signals): void
  /** Ends it in order, its data written; by force after 5 s. May be called twice. */
  stop(): Promise<void>
}

export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'locked' }
  | { readonly kind: 'failed'; readonly reason: string }

const ANSWER_MS = 10_000
const LOADING_MS = 60_000
const ASK_LOADING_MS = 250
const TELL_LOADING_MS = 10_000
const STOP_MS = 5_000
/**
 * Starts a server that cannot outlive this process, not even when this one is killed, and that a Ctrl-C in the
 * terminal does not reach. It does not keep this process alive either.
 */
export function spawnRedis(start: RedisStart): RedisChild {
  const log = openSync(start.logFile, 'a', 0o600)
  const logFrom = fstatSync(log).size
  const child = launch(start, log)
  closeSync(log)
  child.unref()

  let ending: string | undefined
  let exitCode: number | null = null
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      // What it has forked to write its data may be left. Our watcher is in the group, so the number is nobody else's.
      if (ending === undefined && child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      ending ??= how
      resolve(ending)
    }
    child.once('error', (error) => end(error.message))
    child.once('exit', (code, signal) => {
      exitCode = code
      end(signal ?? `code ${code}`)
    })
  })

  const pid = child.pid ?? -1
  const kill = (signal: NodeJS.Signals) => {
    // Whatever kills it waits for its end, and that wait has to keep this process alive.
    if (signal === 'SIGKILL') child.ref()
    child.kill(signal)
  }

  async function stop(): Promise<void> {
    if (ending !== undefined) return
    kill('SIGTERM')
    const callOff = callAfter(STOP_MS, () => kill('SIGKILL'))
    await exited
    callOff()
  }

  async function ready(onLoading: (percent: string) => void): Promise<Readiness> {
    let [heardMs, toldMs] = [performance.now(), performance.now()]
    let [boundMs, pauseMs] = [ANSWER_MS, 10]
    while (ending === undefined && performance.now() - heardMs < boundMs) {
      const state = await ask(start.address, pid)
      if (state === 'ready') return { kind: 'ready' }
      if (typeof state === 'object') {
        heardMs = performance.now()
        boundMs = LOADING_MS
        pauseMs = ASK_LOADING_MS
      }
      if (typeof state === 'object' && heardMs - toldMs >= TELL_LOADING_MS) {
        toldMs = heardMs
        onLoading(state.loaded)
      }
      // Nothing tells when a server starts to listen, so it is asked again.
      await endsWithin(pauseMs, exited)
    }
    if (ending === undefined) {
      await stop()
      return { kind: 'failed', reason: `no answer within ${boundMs / 1_000} s` }
    }
    if (exitCode === LOCKED) return { kind: 'locked' }
    return { kind: 'failed', reason: lastLine(readFileSync(start.logFile).subarray(logFrom)) ?? ending }
  }

  return { pid, exited, ready, kill, stop }
}

/** Whether the server with this process id answers at the address, or how much it has loaded of its data; `other` if another one does. */
export async function ask(
  address: RedisAddress,
  pid: number,
): Promise<'ready' | { readonly loaded: string } | 'silent' | 'other'> {
  const reply = await greet(address)
  if (reply.startsWith('-NOAUTH')) return 'ready'
  if (!reply.includes(`process_id:${pid}\r\n`)) return reply === '' ? 'silent' : 'other'
  if (!reply.startsWith('-LOADING')) return 'ready'
  return { loaded: /^loading_loaded_perc:(\S+)/m.exec(reply)?.[1] ?? '0' }
}

/**
 * A port nobody listens on. It is outside the range that systems give to outgoing connections: there, a client that
 * reconnects to a stopped server can meet itself.
 */
export async function freeLoopbackPort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    if (await isFree(port)) return port
  }
  throw new Error('no free loopback port in 50 attempts')
}

function launch({ binary, address, dir, lockFile, args }: RedisStart, log: number): ChildProcess {
  const reached =
    'path' in address
      ? ['--port', '0', '--unixsocket', address.path, '--unixsocketperm', '700']
      : ['--port', String(address.port), '--bind', '127.0.0.1']
  const spawned = () =>
    spawnTethered({
      words: [binary.path, ...reached, '--dir', dir, '--daemonize', 'no', ...args],
      ownEnv: binary.env,
      stdio: ['ignore', log, log],
      ...(lockFile !== undefined && { lockFile }),
    })
  // What it writes is for nobody else: all rounds, and the digests of keys and sessions.
  const before = process.umask(0o077)
  try {
    return spawned()
  } finally {
    process.umask(before)
  }
}

/** What a server says to PING, and to the questions which process it is and what it has loaded; empty if nothing within a second. */
function greet(address: RedisAddress): Promise<string> {
  return new Promise((resolve) => {
    let reply = ''
    const socket = connect({ host: '127.0.0.1', ...address })
    socket.setEncoding('utf8')
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('connect', () => socket.write('PING\r\nINFO server\r\nINFO persistence\r\nQUIT\r\n'))
    socket.on('data', (text) => {
      reply += text
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(reply))
  })
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Without the prefix such as `812:M 22 Nov 2026 08:00:00.000 # `. */
function lastLine(log: Buffer): string | undefined {
  const lines = log.toString('utf8').trimEnd().split('\n')
  return lines.at(-1)?.replace(/^\d+:\w \d+ \w+ \d+ [\d:.]+ [.\-*#] /, '') || undefined
}
