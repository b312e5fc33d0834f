import { join } from 'node:path'
import { endOf, spawnProcess } from '../test/support/processes.ts'
import type { Invocation, Return } from './history.ts'
import type { World } from './world.ts'

/** Replicas in processes of their own, each with a history of its own, on the clock that all share. */
export async function runCandidates(
  world: World,
  urls: readonly string[],
  { processes, rounds }: { readonly processes: number; readonly rounds: number },
): Promise<void> {
  await Promise.all(
    Array.from({ length: processes }, async (_, n) => {
      const file = join(world.root, 'chaos/candidate-process.js')
      const child = spawnProcess({ args: [file, `replica-${n}`, String(rounds), ...urls], cwd: world.root })
      world.onEnd(() => child.kill('SIGKILL'))
      const { code, stdout, stderr } = await endOf(child)
      if (code !== 0) throw new Error(`a candidate ended with code ${code}: ${stderr.slice(-2_000)}`)
      const events = stdout.split('\n').filter((line) => line !== '')
      world.recorder.adopt(events.map((line) => JSON.parse(line) as Invocation | Return))
    }),
  )
}
