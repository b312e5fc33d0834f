import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import type { Harm } from './stories.ts'

/** How an instance dies by what was done to it, as its supervisor is to tell it. */
export type Fate = 'killed' | 'hung' | 'leaked'

/** What was done to whom: only that explains what became of jobs, instances and alerts. */
export class Marks {
  readonly harms: Harm[] = []
  /** Instances of which it may be told that nothing is heard of them. */
  readonly silenced = new Set<string>()
  readonly fates = new Map<string, Fate>()
  /** Releases whose instances die. */
  readonly badReleases = new Set<string>()

  harm(harm: Harm): void {
    this.harms.push(harm)
  }

  silence(instances: readonly InstanceJson[]): void {
    for (const { id } of instances) this.silenced.add(id)
  }
}

export function pidsOf(instances: readonly InstanceJson[]): readonly number[] {
  return instances.map(({ pid }) => pid)
}
