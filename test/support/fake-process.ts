import type { InstanceFacts } from '../../src/core/fleet/instance.ts'
import type { Busy, InstanceListener, InstanceProcess, ToInstance } from '../../src/core/fleet/supervised.ts'

/** A process of an instance that is only said to be one. */
export class FakeProcess implements InstanceProcess {
  readonly told: ToInstance[] = []
  isKilled = false
  busy: Busy = { cpu: 0, loop: 0 }
  hasEnded = false

  constructor(
    readonly pid: number,
    readonly listener: InstanceListener,
  ) {}

  get facts(): InstanceFacts {
    const workers = [{ name: 'mailer', slots: 1 }]
    const mode = this.told.some(({ kind }) => kind === 'rest')
      ? ('stopping' as const)
      : ('registered' as const)
    const pressure = this.told.findLast((word) => word.kind === 'press')?.cause
    return {
      id: `i${this.pid}`,
      workers,
      release: '1',
      region: 'eu',
      host: 'h',
      pid: this.pid,
      version: '1',
      mode: pressure ? 'unregistered' : mode,
      ...(pressure && { pressure }),
    }
  }

  ready(): void {
    this.listener.onWord({ kind: 'begins', facts: this.facts, locks: { mailer: 'w:' } })
    this.listener.onWord({ kind: 'ready', facts: this.facts, rssBytes: 50_000_000 })
  }

  tick(running = 0, done = 0): void {
    if (!this.hasEnded)
      this.listener.onWord({ kind: 'tick', facts: this.facts, running, done, rssBytes: 1, busy: this.busy })
  }

  exit(code: number | null, signal: string | null): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.listener.onEnd({ code, signal })
  }

  tell(word: ToInstance): void {
    this.told.push(word)
  }

  end(): void {
    this.exit(0, null)
  }

  kill(): void {
    this.isKilled = true
    this.exit(null, 'SIGKILL')
  }

  async endLeft(): Promise<void> {}
}
