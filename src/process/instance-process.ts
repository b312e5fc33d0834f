import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { endsWithin } from '../waiting.ts'
import { endKin } from './group.ts'
import { LineReader } from './lines.ts'
import { programPath } from './program.ts'

export interface InstanceStart {
  /** Its source, beside the caller's. */
  readonly program: URL
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** For Node itself, before those that this process was started with. */
  readonly nodeOptions: readonly string[]
}

interface Listener<Word> {
  onWord(word: Word): void
  onLine(line: string, isError: boolean): void
  onEnd(exit: { readonly code: number | null; readonly signal: string | null }): void
}

/** What a process has said in its last moment is on its way; who it has started may hold its output open for ever. */
const LAST_WORDS_MS = 250
/** What a process has in its environment that an instance has started, also where that has left its group. */
export const MARK = 'GONE_INSTANCE'
/** The time of what an instance has left behind, before its jobs are handed on. */
const LEFT_MS = 1_000

/**
 * Starts an instance as a child in a group of its own, which a Ctrl-C in the terminal does not reach. It loses its channel, and
 * so hears of it, when this process ends in whatever way.
 */
export function startInstance<From, To extends object>(start: InstanceStart, listener: Listener<From>) {
  const mark = randomUUID()
  const child = fork(programPath(start.program), start.args, {
    env: { ...start.env, [MARK]: mark },
    execArgv: [...start.nodeOptions, ...process.execArgv],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  })
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const isError = stream === child.stderr
    const lines = new LineReader(
      (line) => listener.onLine(line, isError),
      () => performance.now(),
    )
    stream?.on('data', (chunk: Buffer) => lines.add(chunk))
    return lines
  })
  child.on('message', (word) => listener.onWord(word as From))
  void endOf(child).then((exit) => {
    for (const output of outputs) output.end()
    listener.onEnd(exit)
  })
  return {
    pid: child.pid ?? -1,
    tell(word: To): void {
      // It may end this very moment: its end says so. One that is stopped is told nothing more than fits the pipe.
      if (child.connected) child.send(word, () => {})
    },
    end: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
    async endLeft() {
      if (child.pid !== undefined) await endKin({ pid: child.pid, mark: `${MARK}=${mark}` }, LEFT_MS)
    },
  }
}

async function endOf(child: ChildProcess) {
  const closed = Promise.all([once(child, 'close'), once(child, 'disconnect')])
  closed.catch(() => undefined)
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    await endsWithin(LAST_WORDS_MS, closed)
    return { code, signal }
  } catch {
    // It could not be started: there is no exit then.
    return { code: null, signal: null }
  }
}
