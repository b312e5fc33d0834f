import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'

/** What instances can be sorted by. */
export const SORTS = ['cpu', 'memory', 'running', 'done', 'failed', 'worker', 'host', 'id'] as const
export type Sort = (typeof SORTS)[number]

/** Numbers: the largest first; names: as in a dictionary. Those that are alike keep their order. */
export function sorted(instances: readonly InstanceJson[], sort: Sort): readonly InstanceJson[] {
  return [...instances].sort((a, b) => {
    const [left, right] = [keyOf(a, sort), keyOf(b, sort)]
    if (left === right) return 0
    if (typeof left === 'number') return Number(right) - left
    return left < right ? -1 : 1
  })
}

function keyOf({ id, host, workers, cpuPercent, rssBytes }: InstanceJson, sort: Sort): number | string {
  switch (sort) {
    case 'cpu':
      return cpuPercent ?? 0
    case 'memory':
      return rssBytes ?? 0
    case 'running':
    case 'done':
    case 'failed':
      return workers.reduce((sum, worker) => sum + worker[sort], 0)
    case 'worker':
      return workers.map(({ name }) => name).join(',')
    case 'host':
      return host
    case 'id':
      return id
  }
}
