import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Logger } from 'pino'
import { spawnTethered } from '../process/tether.ts'
import { pause } from '../waiting.ts'
import { EXIT } from './terminal.ts'

interface WorkProcessParts {
  /** Where the workers are; missing: the ones that come with gone. */
  readonly folder?: string
  readonly env: NodeJS.ProcessEnv
  readonly log: Logger
}

const AGAIN_MS = 1_000

/**
 * `gone work` as a process beside this one, so that a handler which blocks, leaks or crashes leaves the server alone. It ends
 * with this process, however that ends, and is started again where it has ended by itself.
 */
export class WorkProcess {
  /** Resolves where they cannot be started at all: a worker does not load, or a setting is wrong. They have said why. */
  readonly unable: Promise<void>
  private giveUp = () => {}
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
    await this.running
  }

  private async run(): Promise<void> {
    const { log } = this.parts
    while (!this.stopping.signal.aborted) {
      const { code, signal } = await this.runOnce()
      if (this.stopping.signal.aborted) return
      if (code === EXIT.unknown) return this.giveUp()
      // An order of the fleet.
      if (code === EXIT.done) return log.info({}, 'the workers were stopped; the server goes on without them')
      if (code === EXIT.restart) log.info({}, 'the workers are started again')
      else log.error({ code, signal }, 'the workers have ended by themselves, and are started again')
      await pause(AGAIN_MS, this.stopping.signal)
    }
  }

  private async runOnce(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
    const { folder, env } = this.parts
    const program = [process.execPath, ...process.execArgv, process.argv[1] ?? '']
    const words = [...program, 'work', ...(folder === undefined ? [] : [folder])]
    this.child = spawnTethered({ words, env, stdio: ['ignore', 1, 2] })
    const [code, signal] = await once(this.child, 'exit')
    return { code, signal }
  }
}
