import type { GoneClient } from '../../client/client.ts'
import type { FleetSelection } from '../../client/fleet.ts'
import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import { INSTANCE_STATES, poolOf } from '../../core/fleet/instance.ts'
import type { SelectionField } from '../../core/fleet/selection.ts'
import { pause } from '../../waiting.ts'

const AGAIN_MS = 2_000

/** The instances that there are now, kept as they change, so that whoever wants to know waits for nobody. */
export class FleetNow {
  private readonly known = new Map<string, InstanceJson>()
  private readonly ending = new AbortController()
  private readonly listening: Promise<void>

  constructor(
    private readonly client: GoneClient,
    private readonly selection: FleetSelection = {},
  ) {
    this.listening = this.listen()
  }

  instances(): readonly InstanceJson[] {
    return [...this.known.values()]
  }

  /** The values that a filter may have. */
  names(field: SelectionField): readonly string[] {
    if (field === 'state') return INSTANCE_STATES
    const names = this.instances().flatMap((instance) => {
      if (field === 'worker') return instance.workers.map(({ name }) => name)
      return field === 'pool' ? (poolOf(instance) ?? []) : [instance[field]]
    })
    return [...new Set(names)].sort()
  }

  async stop(): Promise<void> {
    this.ending.abort()
    await this.listening
  }

  private async listen(): Promise<void> {
    const { signal } = this.ending
    while (!signal.aborted) {
      try {
        for await (const news of this.client.fleet.listen(this.selection, { signal })) {
          if (news.kind === 'snapshot') {
            this.known.clear()
            for (const instance of news.instances) this.known.set(instance.id, instance)
          } else if (news.instance) this.known.set(news.id, news.instance)
          else this.known.delete(news.id)
        }
      } catch {
        // Whoever asks the server itself hears what is wrong with it; what was known stays.
        await pause(AGAIN_MS, signal)
      }
    }
  }
}
