import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { endKin } from '../../src/process/group.ts'
import { LinesInto, Tail } from '../../src/process/tail.ts'
import { endsWithin } from '../../src/waiting.ts'

export interface Command {
  /** The program and its arguments. No shell reads them. */
  readonly line: readonly [string, ...string[]]
  readonly cwd?: string
  /** All of the command's environment. */
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

export interface CommandEnd {
  /** Missing where a signal ended the command. */
  readonly exitCode?: number
  readonly killedBy?: string
  /**
   * The end of what it wrote, up to 8 KiB and 50 lines. Those of stdout are in order, and those of stderr; how the two
   * come together is not known.
   */
  readonly lines: readonly string[]
}

const TAIL_BYTES = 8_192
const TAIL_LINES = 50
/** Sooner than the 5 s after which an aborted handler is no longer waited for, and its round is given to another. */
const KILL_AFTER_MS = 4_000
/** How long output may take to arrive once everybody is gone: a daemon that left the group may hold the pipe open. */
const DRAIN_MS = 500

/**
 * Runs a command as the leader of a process group of its own. When `signal` is aborted the whole group gets SIGTERM and,
 * if some of it is still there after 4 s, SIGKILL. So does what the command leaves behind in its group when it exits: once
 * this resolves, nothing of it runs.
 *
 * @throws the system's error if the command cannot be started
 */
export async function runInGroup(
  { line, cwd, env, stdin }: Command,
  signal: AbortSignal,
): Promise<CommandEnd> {
  signal.throwIfAborted()
  const [program, ...args] = line
  const child = spawn(program, args, { cwd, env, detached: true, stdio: 'pipe' })
  const tail = new Tail(TAIL_BYTES)
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const lines = new LinesInto(tail)
    stream.on('data', (chunk: Buffer) => lines.add(chunk))
    return lines
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let ending: Promise<void> | undefined
  const end = () => {
    if (child.pid !== undefined) ending ??= endKin({ pid: child.pid }, KILL_AFTER_MS)
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    const exit = await exitOf(child, stdin)
    end()
    await ending
    await endsWithin(DRAIN_MS, closed)
    for (const output of outputs) output.end()
    const lines = tail.text().replace(/\n$/, '').split('\n').slice(-TAIL_LINES)
    return { ...exit, lines: lines.join('') === '' ? [] : lines }
  } finally {
    signal.removeEventListener('abort', end)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

function exitOf(child: ChildProcessWithoutNullStreams, stdin: string): Promise<Omit<CommandEnd, 'lines'>> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, killedBy) =>
      resolve({ ...(code !== null && { exitCode: code }), ...(killedBy !== null && { killedBy }) }),
    )
    // A command need not read its input.
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin)
  })
}
