import { heapMib, type Limits } from '../core/fleet/limits.ts'
import type { Runs } from '../core/fleet/pool.ts'
import type { FromInstance, InstanceListener, PlaceName, ToInstance } from '../core/fleet/supervised.ts'
import { startInstance } from '../process/instance-process.ts'

/** How the instances of a supervisor are started. */
export interface SpawnTerms {
  readonly program: URL
  /** @param runs of a pool's place what it runs */
  readonly args: (place: string, runs?: Runs) => readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly print: (place: PlaceName, line: string, isError: boolean) => void
  readonly limits: Limits
}

interface Spawned {
  readonly place: PlaceName
  /** How the fleet names that. */
  readonly name: string
  readonly runs?: Runs
  readonly listener: InstanceListener
}

/** Starts an instance for a place; what it prints is passed on. */
export function spawnInstance({ program, args, env, print, limits }: SpawnTerms, of: Spawned) {
  const { place, name, runs, listener } = of
  const ownEnv = runs?.release === undefined ? env : { ...env, GONE_RELEASE: runs.release }
  return startInstance<FromInstance, ToInstance>(
    { program, args: args(name, runs), env: ownEnv, nodeOptions: nodeOptionsOf(limits) },
    {
      ...listener,
      onLine(line, isError) {
        print(place, line, isError)
        listener.onLine(line, isError)
      },
    },
  )
}

function nodeOptionsOf({ memoryBytes }: Limits): readonly string[] {
  return memoryBytes === undefined ? [] : [`--max-old-space-size=${heapMib(memoryBytes)}`]
}
