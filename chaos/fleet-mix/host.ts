import type { Process } from '../../test/support/processes.ts'
import type { TcpProxy } from '../proxy.ts'

/** A simulated machine: a supervisor that takes places of pools, behind a wire of its own. */
export class Host {
  /** Something is being done to it. */
  isTroubled = false
  private running: Process | undefined

  constructor(
    readonly name: string,
    readonly wire: TcpProxy,
    private readonly begin: () => Promise<Process>,
  ) {}

  get process(): Process {
    if (!this.running) throw new Error(`host ${this.name} has not begun`)
    return this.running
  }

  async start(): Promise<void> {
    this.running = await this.begin()
  }
}
