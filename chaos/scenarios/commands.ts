import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { endOf, type Process, spawnProcess } from '../../test/support/processes.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

/** More than all pipes on the way hold, whatever their size. */
const OUTPUT_BYTES = 1_000_000
/** Longer than the last words of a command are waited for. */
const READER_AWAY_MS = 4_000

/** What `gone once` promises of the command that it runs. */
export const COMMANDS: readonly Scenario[] = [
  {
    name: 'reader-slow',
    proves:
      'all that a command of gone once has printed comes to a reader that takes seconds before it reads',
    isShort: true,
    async run(world) {
      const facade = await world.facade(await world.redis())
      const file = join(world.folder, 'ends')
      // The command ends while what it has started still holds what does not fit.
      const run = startOnce(
        world,
        facade,
        `head -c ${OUTPUT_BYTES} /dev/zero | tr '\\0' x & sleep 0.2; : >${file}`,
      )
      const { stdout } = run
      const ended = once(run, 'exit')
      stdout?.pause()
      // The time of last words begins when the command ends, however slowly it started.
      await world.until(async () => existsSync(file), 'the command ends')
      world.fault('the reader of the output is away')
      await world.pause(READER_AWAY_MS)
      let taken = 0
      for await (const chunk of stdout ?? []) taken += (chunk as Buffer).length
      const [code] = await ended
      world.claim(taken === OUTPUT_BYTES, `of ${OUTPUT_BYTES} bytes ${taken} came to the reader`)
      world.claim(code === 0, `it exited with ${code}`)
    },
  },
  {
    name: 'command-apart',
    proves:
      'what a command of gone once has started dies with it where that is killed, also in a session of its own',
    async run(world) {
      if (process.platform !== 'linux') {
        world.remarks.push('only on Linux can a process be followed out of its group')
        return
      }
      const facade = await world.facade(await world.redis())
      const file = join(world.folder, 'pids')
      const run = startOnce(
        world,
        facade,
        `setsid sleep 60 >/dev/null & echo $! >>${file}; echo $$ >>${file}; sleep 60`,
      )
      const ended = endOf(run)
      const pids = async () =>
        (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number)
      await world.until(async () => (await pids()).length === 2, 'the command runs')
      world.onEnd(async () => {
        for (const pid of (await pids()).filter(isAlive)) process.kill(pid, 'SIGKILL')
      })
      world.fault('SIGKILL of gone once')
      run.kill('SIGKILL')
      await ended
      await world.until(
        async () => !(await pids()).some(isAlive),
        'the command and all it has started are gone',
      )
    },
  },
]

function startOnce(world: World, facade: Process, script: string) {
  const words = ['once', '-s', 'commands', '-r', 'round', '--server', facade.url, '--', 'sh', '-c', script]
  const run = spawnProcess({ args: [join(world.root, 'src/cli/main.js'), ...words], cwd: world.root })
  world.onEnd(() => run.kill('SIGKILL'))
  return run
}

/** A zombie has ended: where nobody reaps orphans it keeps its number. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
