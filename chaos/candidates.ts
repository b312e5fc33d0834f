import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
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
      const child = spawn(process.execPath, [file, `replica-${n}`, String(rounds), ...urls], {
        cwd: world.root,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      world.onEnd(() => child.kill('SIGKILL'))
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      const [code] = await once(child, 'close')
      if (code !== 0) throw new Error(`a candidate ended with code ${code}`)
      const events = output.split('\n').filter((line) => line !== '')
      world.recorder.adopt(events.map((line) => JSON.parse(line) as Invocation | Return))
    }),
  )
}
