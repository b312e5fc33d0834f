import type { RedisClient } from '../../redis/connections.ts'
import type { Argument } from '../../redis/steps.ts'

/** What the commands of a system came to, or why they came to nothing: in a Cluster its node may be away, and those of others well. */
type Look = PromiseSettledResult<unknown[]>

const MAX_PIPELINE = 500

/** Runs the commands of each system, in pipelines of bounded size; the looks are in the systems' order. */
export async function lookAtEach(
  redis: RedisClient,
  systems: readonly string[],
  commandsOf: (system: string) => Argument[][],
): Promise<readonly Look[]> {
  const looks: Look[] = []
  for (let from = 0; from < systems.length; from += MAX_PIPELINE) {
    const replies = systems
      .slice(from, from + MAX_PIPELINE)
      .map((system) =>
        Promise.all(
          commandsOf(system).map(([name, ...rest]) => redis.call(String(name), ...rest.map(String))),
        ),
      )
    looks.push(...(await Promise.allSettled(replies)))
  }
  return looks
}

/** The answers of those that have answered, by system. @param failures gets why the others have not */
export function answered<Of>(
  of: readonly Of[],
  looks: readonly Look[],
  failures: unknown[],
): readonly { readonly of: Of; readonly answers: readonly unknown[] }[] {
  return of.flatMap((one, index) => {
    const look = looks[index]
    if (look?.status === 'fulfilled') return { of: one, answers: look.value }
    failures.push(look?.reason)
    return []
  })
}
