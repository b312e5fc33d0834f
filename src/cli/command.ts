import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, statSync } from 'node:fs'
import { constants as os } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** How a command ended, and the last 2 KB of what it printed. */
export interface CommandEnd {
  /** As a shell has it: its own, or 128 and the signal's number. */
  readonly code: number
  readonly signal: NodeJS.Signals | undefined
  readonly tail: string
}

export interface RunningCommand {
  readonly ended: Promise<CommandEnd>
  /** To the command and all that it has started. */
  signal(signal: NodeJS.Signals): void
  /** Ends it and all that it has started, by force after 5 s. */
  kill(): Promise<void>
}

const TAIL_BYTES = 2_048
const KILL_AFTER_MS = 5_000
/** What a process that outlives the command still has to say is not waited for. */
const LAST_WORDS_MS = 1_000
const isWindows = process.platform === 'win32'

/**
 * What becomes the command (`exec`), and beside it a watcher that ends the command's group when this process ends in
 * whatever way: then our end of the pipe closes before a line has come through it. The watcher is nobody's child, so
 * that a command which waits for all of its children does not wait for it.
 */
const TETHER = `
(
  (
    trap '' TERM INT HUP QUIT
    read -r _ <&3 && exit
    kill -TERM 0
    n=0
    while kill -0 $$ && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
    kill -KILL 0
  ) >/dev/null 2>&1 </dev/null &
)
exec 3<&-
exec "$@"
`

/** Starts a command in a process group of its own; it cannot outlive this process. What it prints is passed on. */
export function startCommand(words: readonly string[], env: NodeJS.ProcessEnv): RunningCommand {
  const [command = '', ...rest] = isWindows ? words : ['/bin/sh', '-c', TETHER, 'gone once', ...words]
  // Its own group: what a terminal sends to ours must reach it through us, so that the round learns of it.
  const child = spawn(command, rest, {
    stdio: ['inherit', 'pipe', 'pipe', 'pipe'],
    env,
    detached: !isWindows,
  })
  const tether = child.stdio[3] as Writable
  tether.on('error', () => {})
  const tail = new Tail()
  forward(child.stdout, process.stdout, tail)
  forward(child.stderr, process.stderr, tail)

  const signal = (name: NodeJS.Signals) => signalGroup(child, name)
  // The pipe is one of the streams whose end makes the child's `close`.
  child.once('exit', () => tether.end('\n', () => tether.destroy()))
  const ended = endOf(child).then(({ code, name }) => {
    return { code: code ?? 128 + (name ? os.signals[name] : 0), signal: name, tail: tail.text() }
  })
  ended.catch(() => {})

  async function kill(): Promise<void> {
    signal('SIGTERM')
    for (let passedMs = 0; passedMs < KILL_AFTER_MS && isAnybodyLeft(child); passedMs += 50) await sleep(50)
    signal('SIGKILL')
    await ended.catch(() => {})
  }
  return { ended, signal, kill }
}

/** True if there is such a program. The winner of a round should not be who cannot run it. */
export function isRunnable(command: string, path = ''): boolean {
  if (isWindows) return true
  const files = command.includes('/')
    ? [command]
    : path.split(delimiter).map((folder) => join(folder || '.', command))
  return files.some((file) => {
    try {
      accessSync(file, constants.X_OK)
      return statSync(file).isFile()
    } catch {
      return false
    }
  })
}

function forward(from: NodeJS.ReadableStream | null, to: NodeJS.WriteStream, tail: Tail): void {
  if (!from) return
  from.on('data', (chunk: Buffer) => tail.add(chunk))
  from.pipe(to, { end: false })
  from.on('error', () => {})
  // Nobody reads us any more; the command goes on.
  to.on('error', () => {
    from.unpipe(to)
    from.resume()
  })
}

async function endOf(
  child: ChildProcess,
): Promise<{ code: number | null; name: NodeJS.Signals | undefined }> {
  const closed = once(child, 'close').catch(() => {})
  const [code, name] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  const patience = new AbortController()
  await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { signal: patience.signal }).catch(() => {})])
  patience.abort()
  child.stdout?.destroy()
  child.stderr?.destroy()
  return { code, name: name ?? undefined }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (isWindows) child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // Everybody in it had ended.
  }
}

function isAnybodyLeft(child: ChildProcess): boolean {
  try {
    return child.pid !== undefined && process.kill(isWindows ? child.pid : -child.pid, 0)
  } catch {
    return false
  }
}

class Tail {
  private bytes = Buffer.alloc(0)

  add(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]).subarray(-TAIL_BYTES)
  }

  text(): string {
    return this.bytes.toString('utf8').toWellFormed().trim()
  }
}
