import type { Judgement } from './health.ts'
import type { Instance } from './instance.ts'

export type WrongKind = 'no-worker' | 'stuck' | 'unresponsive' | 'crash-loop'

/** What is wrong with the fleet now: with a worker, or with an instance by its id. */
export interface Wrong {
  readonly kind: WrongKind
  readonly name: string
  readonly sinceMs: number
  /** For people. */
  readonly detail: string
}

/** What is to be told, of all that is judged. */
export function wrongsOf(instances: readonly Instance[], { stuck, noWorker }: Judgement): readonly Wrong[] {
  return [
    ...[...noWorker].map(([name, sinceMs]): Wrong => {
      const detail = 'its jobs wait, and no registered instance serves it'
      return { kind: 'no-worker', name, sinceMs, detail }
    }),
    ...instances
      .filter(({ id }) => stuck.has(id))
      .map((one): Wrong => {
        const detail = `${whereOf(one)} has room, and takes none of the jobs that wait for it`
        return { kind: 'stuck', name: one.id, sinceMs: stuck.get(one.id) ?? 0, detail }
      }),
    ...instances
      .filter((one) => isSilent(one, instances))
      .map((one): Wrong => {
        const detail = `nothing was heard of ${whereOf(one)} for 10 s`
        return { kind: 'unresponsive', name: one.id, sinceMs: one.end?.atMs ?? 0, detail }
      }),
    ...instances.filter(isUnresponsive).map((one): Wrong => {
      const detail = `the event loop of ${whereOf(one)} does not answer`
      return { kind: 'unresponsive', name: one.id, sinceMs: one.startedAtMs, detail }
    }),
    ...instances.filter(isCrashLooping).map((one): Wrong => {
      const detail = `the instances of ${whereOf(one)} die again and again`
      return { kind: 'crash-loop', name: one.id, sinceMs: one.startedAtMs, detail }
    }),
  ]
}

/** Why what was told is over; undefined where that is not certain, as for a server that has just begun to look. */
export function whyOver(
  { kind, name }: Pick<Wrong, 'kind' | 'name'>,
  instances: readonly Instance[],
  { watched }: Judgement,
): string | undefined {
  const instance = instances.find(({ id }) => id === name)
  switch (kind) {
    case 'no-worker':
      return watched.unserved.has(name) ? undefined : 'somebody serves it, or none of its jobs waits'
    case 'stuck':
      if (!instance || instance.end) return 'the instance has ended'
      return (watched.idle.get(name)?.size ?? 0) > 0 ? undefined : 'it takes jobs, or none waits for it'
    case 'unresponsive':
      if (!instance) return 'the instance is forgotten'
      if (isUnresponsive(instance)) return undefined
      if (instance.end?.kind === 'died') return 'it died, and its supervisor starts another'
      if (instance.end?.kind !== 'lost') return 'it was heard again'
      return isSilent(instance, instances) ? undefined : 'others serve its workers that started since'
    case 'crash-loop':
      return instance && isCrashLooping(instance) ? undefined : 'one has lived, or somebody has ended it'
  }
}

function isUnresponsive({ mode, end }: Instance): boolean {
  return mode === 'unresponsive' && !end
}

function isCrashLooping({ mode, end }: Instance): boolean {
  return mode === 'crash-looping' && !end
}

/** Lost, and not replaced since. */
function isSilent(one: Instance, instances: readonly Instance[]): boolean {
  const { end } = one
  if (end?.kind !== 'lost') return false
  return !one.workers.every(({ name }) =>
    instances.some(
      (other) =>
        !other.end && other.startedAtMs >= end.atMs && other.workers.some((worker) => worker.name === name),
    ),
  )
}

function whereOf({ id, host, workers }: Instance): string {
  return `${id} on ${host} (${workers.map(({ name }) => name).join(', ')})`
}
