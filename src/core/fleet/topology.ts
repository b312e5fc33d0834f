import { INSTANCE_STATES, type Instance, type InstanceState, isOver, stateOf } from './instance.ts'

/** How many instances of something are in which state, and how many jobs they run and could run. */
export interface FleetCount {
  readonly name: string
  readonly instances: number
  readonly states: Readonly<Partial<Record<InstanceState, number>>>
  readonly slots: number
  readonly running: number
}

export interface Topology extends Omit<FleetCount, 'name'> {
  readonly regions: readonly (FleetCount & { readonly hosts: readonly FleetCount[] })[]
  readonly workers: readonly FleetCount[]
  readonly releases: readonly FleetCount[]
}

/** The fleet counted by where it runs, what it runs, and of which release. Those that ended are left out. */
export function topologyOf(instances: readonly Instance[]): Topology {
  const there = instances.filter((one) => !isOver(stateOf(one)))
  const { name: _, ...all } = countOf('', there)
  return {
    ...all,
    regions: groupsOf(there, ({ region }) => [region]).map(([region, within]) => ({
      ...countOf(region, within),
      hosts: groupsOf(within, ({ host }) => [host]).map(([host, on]) => countOf(host, on)),
    })),
    workers: groupsOf(there, ({ workers }) => workers.map(({ name }) => name)).map(([worker, serving]) =>
      countOf(worker, serving, worker),
    ),
    releases: groupsOf(there, ({ release }) => [release]).map(([release, of]) => countOf(release, of)),
  }
}

function groupsOf(
  instances: readonly Instance[],
  namesOf: (instance: Instance) => readonly string[],
): readonly (readonly [string, readonly Instance[]])[] {
  const groups = new Map<string, Instance[]>()
  for (const instance of instances) {
    for (const name of namesOf(instance)) {
      const group = groups.get(name)
      if (group) group.push(instance)
      else groups.set(name, [instance])
    }
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** @param worker missing: the slots of all workers count */
function countOf(name: string, instances: readonly Instance[], worker?: string): FleetCount {
  const states: Partial<Record<InstanceState, number>> = {}
  let [slots, running] = [0, 0]
  for (const instance of instances) {
    const state = stateOf(instance)
    states[state] = (states[state] ?? 0) + 1
    for (const one of instance.workers) {
      if (worker !== undefined && one.name !== worker) continue
      // What is lost, or takes no jobs, has no room.
      if (state === 'registered' || state === 'stuck') slots += one.slots
      if (!instance.end) running += instance.stats?.workers[one.name]?.running ?? 0
    }
  }
  const sorted = INSTANCE_STATES.flatMap((state) => (states[state] ? [[state, states[state]] as const] : []))
  return { name, instances: instances.length, states: Object.fromEntries(sorted), slots, running }
}
