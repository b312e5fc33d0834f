import { vi } from 'vitest'
import type { GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { type Process, startProcess } from './processes.ts'
import { builtPath, program } from './program.ts'

/**
 * A real `gone work --instances` of its own; its lines are told as they come.
 *
 * @param instances or how many places of pools it takes
 */
export function startSupervisorProcess(
  instances: number | { readonly pools: number },
  env: Readonly<Record<string, string>>,
  {
    folder = builtPath('test/support/workers'),
    options = [],
    onLine,
  }: {
    readonly folder?: string
    readonly options?: readonly string[]
    readonly onLine?: (line: string) => void
  } = {},
): Promise<Process> {
  const many =
    typeof instances === 'number' ? ['--instances', String(instances)] : ['--pools', String(instances.pools)]
  return startProcess({
    name: 'gone work --instances',
    args: [...program('src/cli/main.ts'), 'work', folder, ...many, ...options],
    env: { GONE_LOG_LEVEL: 'info', ...env },
    ...(onLine && { onLine }),
  })
}

/** The instances on this host, once they are as asked for. */
export async function seenOn(
  client: GoneClient,
  host: string,
  areThey: (instances: readonly InstanceJson[]) => boolean,
  timeout = 60_000,
): Promise<readonly InstanceJson[]> {
  let found: readonly InstanceJson[] = []
  // Also before the tests of a file, where there is no polling by `expect`.
  await vi.waitFor(
    async () => {
      found = await client.fleet.instances({ host })
      if (!areThey(found)) throw new Error(`they are not as asked for: ${JSON.stringify(found)}`)
    },
    { timeout, interval: 50 },
  )
  return found
}

/** True if so many take jobs, and no others are listed. */
export function registered(count: number): (instances: readonly InstanceJson[]) => boolean {
  return (all) => all.length === count && all.every(({ state }) => state === 'registered')
}
