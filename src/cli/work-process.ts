import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Logger } from 'pino'
import { WITHOUT_STORE } from '../core/fleet/supervised.ts'
import { endKin } from '../process/group.ts'
import { MARK } from '../process/instance-process.ts'
import { programPath } from '../process/program.ts'
import { spawnTethered } from '../process/tether.ts'
import { callAfter, pause } from '../waiting.ts'
import type { WorkersChosen } from './run-workers.ts'
import { WORK_END } from './work-end.ts'

interface WorkProcessParts {
  /** Where the workers are; missing: the ones that come with gone. */
  readonly folder?: string
  readonly env: NodeJS.ProcessEnv
  readonly log: Logger
  /** The time they have to end; then they are killed. */
  readonly endMs: number
}

const AGAIN_MS = 1_000

/**
 * Workers in a process beside this one, so that a handler which blocks, leaks or crashes leaves the server alone. It ends
 * with this process, however that ends, and is started again where it has ended by itself.
 */
export class WorkProcess {
  /** Resolves where they cannot be started at all: a worker does not load, or a setting is wrong. They have said why. */
  readonly unable: Promise<void>
  private giveUp = () => {}
  private readonly mark = randomUUID()
  private readonly stopping = new AbortController()
  private child: ChildProcess | undefined
  private running: Promise<void> | undefined

  constructor(private readonly parts: WorkProcessParts) {
    this.unable = new Promise((resolve) => {
      this.giveUp = resolve
    })
  }

  start(): void {
    this.running ??= this.run()
  }

  /** Lets it drain; returns when it has ended. May be called twice. */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.child?.kill('SIGTERM')
    const callOff = callAfter(this.parts.endMs, () => void this.kill())
    await this.running
    callOff()
  }

  private async run(): Promise<void> {
    const { log } = this.parts
    let haveWorked = false
    while (!this.stopping.signal.aborted) {
      const { code, signal } = await this.runOnce()
      if (this.stopping.signal.aborted) return
      haveWorked ||= code !== WORK_END.unable && code !== WITHOUT_STORE
      switch (code) {
        case WORK_END.stop:
          log.info({}, 'the workers were stopped; the server goes on without them')
          return
        case WORK_END.restart:
          log.info({}, 'the workers are started again')
          break
        case WITHOUT_STORE:
          log.warn({}, 'the workers do not reach Redis, and are started again')
          break
        default:
          if (!haveWorked) return this.giveUp()
          log.error({ code, signal }, 'the workers have ended by themselves, and are started again')
      }
      await pause(AGAIN_MS, this.stopping.signal)
    }
  }

  private async runOnce(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
    const { folder, env } = this.parts
    const program = programPath(new URL('./served-work.ts', import.meta.url))
    const chosen: WorkersChosen = folder === undefined ? {} : { folder }
    this.child = spawnTethered({
      words: [process.execPath, ...process.execArgv, program, JSON.stringify(chosen)],
      env,
      mark: `${MARK}=${this.mark}`,
      stdio: ['ignore', 1, 2],
    })
    const [code, signal] = await once(this.child, 'exit')
    return { code, signal }
  }

  /** With all that its handlers have started. */
  private async kill(): Promise<void> {
    const { pid } = this.child ?? {}
    if (pid === undefined) return
    this.parts.log.warn({ pid }, 'the workers have not ended in time, and are killed')
    await endKin({ pid, mark: `${MARK}=${this.mark}` }, 0)
  }
}
