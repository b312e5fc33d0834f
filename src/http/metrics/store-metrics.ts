import { Counter, type Registry } from 'prom-client'
import type { StoreWatch } from '../../service/store-watch.ts'

export interface StoreMetricsParts {
  readonly storeWatch: StoreWatch
}

export function collectStore(registry: Registry, { storeWatch }: StoreMetricsParts): void {
  new Counter({
    name: 'gone_store_losses_total',
    help: 'Times that this process noticed that Redis had lost what it had acknowledged.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(storeWatch.losses)
    },
  })
}
