import type { Registry } from 'prom-client'

export interface Registries {
  /** What this process has counted, and is. */
  readonly own: Registry
  /** What Redis knows, which is the same from each process. */
  readonly shared: Registry
}
