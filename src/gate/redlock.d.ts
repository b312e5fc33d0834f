// redlock's own types are not reachable through its `exports`, and a `paths` entry for them would be followed at run
// time by tsx. This is the part that redlock-gate.ts uses, of 5.0.0-beta.2.
declare module 'redlock' {
  import type { Cluster, Redis } from 'ioredis'

  interface ExecutionStats {
    readonly votesFor: ReadonlySet<Redis | Cluster>
    readonly votesAgainst: ReadonlyMap<Redis | Cluster, Error>
  }

  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[]
  }

  export class Lock {
    constructor(redlock: Redlock, resources: string[], value: string, attempts: [], expiration: number)
    readonly value: string
  }

  export default class Redlock {
    constructor(
      clients: Iterable<Redis | Cluster>,
      settings: { readonly retryCount: number },
      scripts: { readonly extendScript: () => string },
    )
    /** A node that votes against what is asked. */
    on(event: 'error', onVoteAgainst: (vote: Error) => void): this
    acquire(resources: string[], durationMs: number): Promise<Lock>
    extend(lock: Lock, durationMs: number): Promise<Lock>
    release(lock: Lock): Promise<unknown>
    /** The value of a lock, new each time. Private in its own types. */
    _random(): string
  }
}
