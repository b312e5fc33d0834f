import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants, statSync } from 'node:fs'
import { constants as os } from 'node:os'
import { delimiter, join } from 'node:path'
import { endKin, signalGroup } from '../../process/group.ts'
import { Tail } from '../../process/tail.ts'
import { spawnTethered } from '../../process/tether.ts'
import { endsWithin } from '../../waiting.ts'

/** How a command ended, and the last 2 KB of what it printed. */
export interface CommandEnd {
  /** As a shell has it: its own, or 128 and the signal's number. */
  readonly code: number
  readonly signal: NodeJS.Signals | undefined
  readonly tail: string
}

export interface RunningCommand {
  /** Once it has ended, and what it printed is taken. */
  readonly ended: Promise<CommandEnd>
  /** To the command and its group, whose output then waits for no slow reader beyond a moment. */
  signal(signal: NodeJS.Signals): void
  /** Ends it and all that it has started, by force once the grace has passed. */
  kill(): Promise<void>
}

const TAIL_BYTES = 2_048
/** What a process that outlives the command still has to say is not waited for. */
const LAST_WORDS_MS = 1_000
const LOOK_MS = 50

/**
 * Starts a command in a process group of its own; it cannot outlive this process. What it prints is passed on.
 *
 * @param graceMs how long it has to end by itself, once it must
 */
export function startCommand(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  graceMs: number,
): RunningCommand {
  const mark = `GONE_RUN=${randomUUID()}`
  // Its own group: what a terminal sends to ours must reach it through us, so that the round learns of it.
  const child = spawnTethered({ words, env, mark, graceMs, stdio: ['inherit', 'pipe', 'pipe'] })
  const tail = new Tail(TAIL_BYTES)
  forward(child.stdout, process.stdout, tail)
  forward(child.stderr, process.stderr, tail)

  let isToldToEnd = false
  const ended = endOf(child, () => isToldToEnd).then(({ code, name }) => {
    const text = tail.text().toWellFormed().trim()
    return { code: code ?? 128 + (name ? os.signals[name] : 0), signal: name, tail: text }
  })
  ended.catch(() => {})

  return {
    ended,
    signal(name) {
      isToldToEnd = true
      const hasEnded = child.exitCode !== null || child.signalCode !== null
      if (child.pid !== undefined && !hasEnded) signalGroup(child.pid, name)
    },
    async kill() {
      isToldToEnd = true
      if (child.pid !== undefined) await endKin({ pid: child.pid, mark }, graceMs)
      await ended.catch(() => {})
    },
  }
}

/** True if there is such a program. The winner of a round should not be who cannot run it. */
export function isRunnable(command: string, path = ''): boolean {
  if (process.platform === 'win32') return true
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
  isToldToEnd: () => boolean,
): Promise<{ code: number | null; name: NodeJS.Signals | undefined }> {
  const closed = once(child, 'close').catch(() => {})
  const [code, name] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  await lastWords(closed, isToldToEnd)
  child.stdout?.destroy()
  child.stderr?.destroy()
  return { code, name: name ?? undefined }
}

/** Resolves when all that the command has printed is passed on. The time of a slow reader counts only once it is told to end. */
async function lastWords(closed: Promise<unknown>, isToldToEnd: () => boolean): Promise<void> {
  const isReaderBehind = () => process.stdout.writableNeedDrain || process.stderr.writableNeedDrain
  let restMs = LAST_WORDS_MS
  while (restMs > 0) {
    if (await endsWithin(LOOK_MS, closed)) return
    if (isToldToEnd() || !isReaderBehind()) restMs -= LOOK_MS
  }
}
