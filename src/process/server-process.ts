import cluster from 'node:cluster'
import { once } from 'node:events'
import { endsWithin } from '../waiting.ts'
import { programPath } from './program.ts'

interface ClusteredStart {
  /** Its source, beside the caller's. */
  readonly program: URL
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

interface Listener<Word> {
  onWord(word: Word): void
  onEnd(exit: { readonly code: number | null; readonly signal: string | null }): void
}

/** What a process has said in its last moment is on its way. */
const LAST_WORDS_MS = 250

/**
 * Starts a process that shares the ports it listens on with the others that were started so: this one takes connections, and gives
 * each the next in turn. It is of this process' group, prints where this one does, and loses its channel when this one ends in
 * whatever way.
 */
export function startClustered<From, To extends object>(start: ClusteredStart, listener: Listener<From>) {
  cluster.setupPrimary({
    exec: programPath(start.program),
    args: [...start.args],
    execArgv: process.execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const worker = cluster.fork(start.env)
  const child = worker.process
  worker.on('message', (word: From) => listener.onWord(word))
  // It could not be started: there is no exit then.
  worker.on('error', () => {})
  void endOf(worker).then((exit) => listener.onEnd(exit))
  return {
    pid: child.pid ?? -1,
    tell(word: To): void {
      // It may end this very moment: its end says so. One that is stopped is told nothing more than fits the pipe.
      if (worker.isConnected()) worker.send(word, () => {})
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

async function endOf(worker: ReturnType<typeof cluster.fork>) {
  const silent = once(worker, 'disconnect')
  silent.catch(() => undefined)
  try {
    const [code, signal] = (await once(worker.process, 'exit')) as [number | null, string | null]
    await endsWithin(LAST_WORDS_MS, silent)
    return { code, signal }
  } catch {
    return { code: null, signal: null }
  }
}
