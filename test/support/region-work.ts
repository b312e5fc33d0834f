import { expect } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { pause } from '../../src/waiting.ts'
import type { TestServer } from './server.ts'
import { startTestWorkers } from './work.ts'

/** Workers of a region, which note what they run and how many at once; they are seen to take jobs there. */
export async function workIn(
  server: TestServer,
  region: string,
  worker: string,
  ms: number,
  concurrency = 1,
) {
  const client = createClient({ url: server.url })
  const ran: string[] = []
  let [running, most] = [0, 0]
  const handler = async ({ id }: { readonly id: string }) => {
    running += 1
    most = Math.max(most, running)
    ran.push(id)
    await pause(ms)
    running -= 1
    return region
  }
  const env = { GONE_REGION: region, GONE_HOST_LABEL: `${region}-${worker}` }
  await startTestWorkers(server.redis, { [worker]: handler }, { env, concurrency })
  await expect.poll(() => client.fleet.instances({ worker, region, state: 'registered' })).toHaveLength(1)
  // Servers look who is there once a second.
  await pause(1_200)
  return { ran, most: () => most }
}
