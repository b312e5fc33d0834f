import { Counter, Gauge, type Registry } from 'prom-client'
import { INSTANCE_STATES } from '../../core/fleet/instance.ts'
import { type FleetCount, topologyOf } from '../../core/fleet/topology.ts'
import type { FleetFollower } from '../../service/fleet/follower.ts'
import { withinScrape } from './scrape.ts'

export interface FleetMetricsParts {
  readonly fleet: Pick<FleetFollower, 'snapshot' | 'tally'>
}

/** Of more workers than a metric should name, those with the most instances. */
const MAX_WORKERS = 200

/** No ids of instances: they differ at each start, and would never end. */
export function collectFleet(registry: Registry, { fleet }: FleetMetricsParts): void {
  const registers = [registry]
  const labelNames = ['worker', 'state']
  new Gauge({
    name: 'gone_instances',
    help: 'Instances of a worker, by state; the same from every server. Missing while Redis cannot answer.',
    labelNames,
    registers,
    async collect() {
      this.reset()
      for (const { name: worker, states } of await workersOf(fleet))
        for (const state of INSTANCE_STATES) this.set({ worker, state }, states[state] ?? 0)
    },
  })
  new Gauge({
    name: 'gone_worker_slots',
    help: 'Jobs that the instances of a worker run now (used), and could run besides (free). Missing while Redis cannot answer.',
    labelNames,
    registers,
    async collect() {
      this.reset()
      for (const { name: worker, slots, running } of await workersOf(fleet)) {
        this.set({ worker, state: 'used' }, running)
        this.set({ worker, state: 'free' }, Math.max(0, slots - running))
      }
    },
  })
  collectTally(registry, fleet)
}

/** What the store has counted, whoever it was that did it. */
function collectTally(registry: Registry, fleet: FleetMetricsParts['fleet']): void {
  const registers = [registry]
  new Counter({
    name: 'gone_orders_total',
    help: 'How orders went at instances, by what was to be done and outcome; the same from every server. Missing while Redis cannot answer.',
    labelNames: ['do', 'outcome'],
    registers,
    async collect() {
      this.reset()
      const tally = await withinScrape(fleet.tally())
      for (const { verb, outcome, count } of tally?.orders ?? []) this.inc({ do: verb, outcome }, count)
    },
  })
  new Counter({
    name: 'gone_instance_restarts_total',
    help: 'Instances of a worker that ended to be started again, by cause; the same from every server. Missing while Redis cannot answer.',
    labelNames: ['worker', 'cause'],
    registers,
    async collect() {
      this.reset()
      const tally = await withinScrape(fleet.tally())
      const restarts = [...(tally?.restarts ?? [])].sort((a, b) => b.count - a.count)
      for (const { worker, count } of restarts.slice(0, MAX_WORKERS))
        this.inc({ worker, cause: 'order' }, count)
    },
  })
  new Gauge({
    name: 'gone_fleet_registry_age_seconds',
    help: 'How long ago any instance or server has last written to the registry of instances. Missing while Redis cannot answer, and where no instance is listed.',
    registers,
    async collect() {
      this.reset()
      // A gauge that was reset says 0, which would be well.
      this.remove()
      const { nowMs, touchedAtMs } = (await withinScrape(fleet.tally())) ?? {}
      if (nowMs !== undefined && touchedAtMs !== undefined) this.set(Math.max(0, nowMs - touchedAtMs) / 1_000)
    },
  })
}

async function workersOf(fleet: FleetMetricsParts['fleet']): Promise<readonly FleetCount[]> {
  const found = await withinScrape(fleet.snapshot())
  if (found === undefined) return []
  const workers = [...topologyOf(found.instances).workers]
  return workers.sort((a, b) => b.instances - a.instances).slice(0, MAX_WORKERS)
}
