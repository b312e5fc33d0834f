import type { FromServer, JointState, ServerProcess } from '../core/siblings.ts'
import { GoneError } from '../errors.ts'
import { JointCounts } from './joint-counts.ts'
import { Loop } from './loop.ts'
import { ServerPlace, type ServerPlaceParts } from './server-place.ts'

export interface ServerProcessesParts extends Omit<ServerPlaceParts, 'onWord' | 'onEnd'> {
  readonly count: number
  /** Why what all of them need does not run, as far as their parent knows. */
  readonly trouble: () => string | undefined
}

const CHECK_EVERY_MS = 1_000
/** Where this process itself stood still, it has heard of nobody. */
const OWN_GAP_MS = 3_000

/** Keeps so many processes running that serve one port together. */
export class ServerProcesses {
  private readonly places: readonly ServerPlace[]
  private readonly counts = new JointCounts()
  private readonly loop: Loop
  private checkedAtMs = Number.POSITIVE_INFINITY
  private hasServed = false
  private onBegun: (url: string) => void = () => {}
  private onUnable: (why: GoneError) => void = () => {}
  private stopped: Promise<void> | undefined

  constructor(private readonly parts: ServerProcessesParts) {
    const own: ServerPlaceParts = {
      ...parts,
      onWord: (process, word) => this.hear(process, word),
      onEnd: (process) => this.counts.end(process),
    }
    this.places = Array.from({ length: parts.count }, (_, index) => new ServerPlace(index + 1, own))
    this.loop = new Loop({
      everyMs: CHECK_EVERY_MS,
      isEven: true,
      work: async () => this.check(),
      putOff: (cause) => parts.log.error({ cause }, 'a defect of the parent of the processes'),
    })
  }

  /**
   * Returns where they serve once all do.
   *
   * @throws GoneError as one of them that cannot, for a reason that the next would have too
   */
  start(): Promise<string> {
    const begun = new Promise<string>((resolve, reject) => {
      this.onBegun = resolve
      this.onUnable = reject
    })
    for (const place of this.places) place.start()
    this.loop.start()
    return begun
  }

  /** Has all of them drain at once; returns when they have ended. May be called twice. */
  stop(): Promise<void> {
    this.stopped ??= this.end()
    return this.stopped
  }

  killAll(): void {
    for (const { process } of this.places) process?.kill()
  }

  private async end(): Promise<void> {
    await this.loop.stop()
    await Promise.all(this.places.map((place) => place.end()))
  }

  private check(): void {
    const nowMs = this.parts.nowMs()
    const isGap = nowMs - this.checkedAtMs > OWN_GAP_MS
    this.checkedAtMs = nowMs
    for (const place of this.places) place.check(nowMs, isGap)
  }

  private hear(process: ServerProcess, word: FromServer): void {
    switch (word.kind) {
      case 'serves':
        if (this.stopped || this.serving.length < this.places.length) return
        this.hasServed = true
        this.onBegun(word.url)
        return
      case 'unable':
        if (this.hasServed)
          this.parts.log.error({ pid: process.pid, cause: word.message }, 'a process cannot serve')
        else this.onUnable(new GoneError(word.code, word.message))
        return
      case 'counted':
        this.counts.hear(process, word)
        return
      case 'ask':
        void this.answer(process, word)
        return
      case 'tick':
    }
  }

  private async answer(
    process: ServerProcess,
    { id, what }: Extract<FromServer, { kind: 'ask' }>,
  ): Promise<void> {
    if (what === 'state') return process.tell({ kind: 'answer', id, state: this.state() })
    const serving = this.serving.flatMap((place) => place.process ?? [])
    process.tell({ kind: 'answer', id, counts: await this.counts.of(serving) })
  }

  private get serving(): readonly ServerPlace[] {
    return this.places.filter(({ url }) => url !== undefined)
  }

  private state(): JointState {
    const { count, trouble } = this.parts
    const silent = this.places.filter(({ isSilent }) => isSilent).length
    const missing = count - this.serving.length
    const cause =
      trouble() ?? (silent > 0 ? `${silent} of ${count} processes of this server do not answer` : undefined)
    const why = this.hasServed ? 'have ended, and are started again' : 'are still starting'
    return {
      ...(cause !== undefined && { trouble: cause }),
      ...(missing > 0 && { warning: `${missing} of ${count} processes of this server ${why}` }),
    }
  }
}
