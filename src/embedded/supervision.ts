import { existsSync } from 'node:fs'
import type { Log } from '../core/rounds/round-ports.ts'
import { pause } from '../waiting.ts'
import { folderIdentity, lockFileIn, noteHolder } from './data-folder.ts'
import type { RedisAddress, RedisChild } from './redis-child.ts'

interface SupervisionParts {
  readonly dataDir: string
  /** Which folder that is: the same path may be another one later. */
  readonly folder: string
  readonly address: RedisAddress
  /** The server that runs now. */
  readonly child: RedisChild
  /** Starts it again on the same data. */
  readonly launch: (address: RedisAddress) => RedisChild
  readonly log: Log
}

const MAX_RESTARTS = 5
const RESTART_WINDOW_MS = 60_000
const RESTART_PAUSE_MS = 200
/** Between two starts of what has crashed too often to be started at once. */
const SLOW_RESTART_MS = 10_000
/** How soon a folder that was taken away is noticed: well before another server can have started in its place. */
const CHECK_MS = 250

/** Keeps an embedded server running, for as long as its data are where they were. */
export class Supervision {
  private child: RedisChild
  private readonly stopping = new AbortController()
  private readonly keeping: Promise<void>
  private checkTimer: ReturnType<typeof setTimeout> | undefined
  private again: string | undefined
  private lose = () => {}
  /** Resolves when the folder was taken away. The server is ended then, and nothing starts it again. */
  readonly lost = new Promise<void>((resolve) => {
    this.lose = resolve
  })

  constructor(private readonly parts: SupervisionParts) {
    this.child = parts.child
    this.keeping = this.keepAlive().catch((error: unknown) => {
      parts.log.error(
        { dataDir: parts.dataDir, cause: String(error) },
        'embedded Redis cannot be started again',
      )
    })
    this.checkLater()
  }

  get pid(): number {
    return this.child.pid
  }

  /** Why the server does not run now, where that is no passing crash. */
  get trouble(): string | undefined {
    return this.again
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    clearTimeout(this.checkTimer)
    await this.child.stop()
    await this.keeping
  }

  private async keepAlive(): Promise<void> {
    const { dataDir, log } = this.parts
    let restartsMs: number[] = []
    while (true) {
      const how = await this.child.exited
      if (this.stopping.signal.aborted) return
      restartsMs = restartsMs.filter((atMs) => performance.now() - atMs < RESTART_WINDOW_MS)
      if (restartsMs.length < MAX_RESTARTS) {
        // At once after a first crash; what crashes again gets a little air.
        await pause(RESTART_PAUSE_MS * restartsMs.length, this.stopping.signal)
      } else {
        this.again = `the embedded Redis ended after ${MAX_RESTARTS} restarts in a minute (${how}): it is tried again every ${SLOW_RESTART_MS / 1_000} s`
        log.error({ dataDir, how }, this.again)
        await pause(SLOW_RESTART_MS, this.stopping.signal)
      }
      if (this.stopping.signal.aborted) return
      restartsMs.push(performance.now())
      log.warn({ dataDir, how }, 'embedded Redis ended, starting it again on the same data')
      await this.restart()
    }
  }

  private async restart(): Promise<void> {
    const { launch, address, dataDir, log } = this.parts
    this.child = launch(address)
    const readiness = await this.child.ready((percent) =>
      log.info({ dataDir, percent }, 'embedded Redis loads its data'),
    )
    if (readiness.kind === 'ready') {
      this.again = undefined
      await noteHolder(dataDir, this.child.pid, address)
      log.info({ dataDir, pid: this.child.pid }, 'embedded Redis is back')
    } else if (!this.stopping.signal.aborted) {
      const why = readiness.kind === 'locked' ? 'another server took the data folder' : readiness.reason
      log.warn({ dataDir, why }, 'embedded Redis did not start')
    }
  }

  /** No more than a timer: who has nothing else to do may end. */
  private checkLater(): void {
    this.checkTimer = setTimeout(() => void this.check(), CHECK_MS).unref()
  }

  /**
   * A server whose folder is gone keeps nothing any more, and its lock keeps nobody out: another may start in its place, and
   * both would lead the same rounds.
   */
  private async check(): Promise<void> {
    const { dataDir, folder, address, log } = this.parts
    const found = await folderIdentity(dataDir)
    if (this.stopping.signal.aborted) return
    if (found !== folder) {
      this.stopping.abort()
      this.child.kill('SIGKILL')
      log.error({ dataDir }, 'the data folder was taken away under the embedded Redis, which is ended')
      return this.lose()
    }
    // Who took that away has taken no lock: it is on the folder too.
    if (!existsSync(lockFileIn(dataDir))) await noteHolder(dataDir, this.child.pid, address)
    this.checkLater()
  }
}
