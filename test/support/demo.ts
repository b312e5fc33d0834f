import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { spawnCli } from './cli.ts'
import { endOf, type Run } from './processes.ts'

export interface Demo {
  readonly child: ChildProcess
  readonly ended: Promise<Run>
  /** How many processes it has started so far and are seen running now. */
  offspring(): number
  /** Of all that were seen, the ones with this text on their command line. */
  pidsOf(text: string): number[]
  whenShown(line: RegExp): Promise<void>
  expectNothingLeft(): void
}

/** A demo on a free port with a temporary folder of its own; every process below it is noted while it runs. */
export function startDemo(...args: string[]): Demo {
  const folder = mkdtempSync(join(tmpdir(), 'gone-test-demo-'))
  const child = spawnCli(['demo', '--port', '0', ...args], { TMPDIR: folder })
  const ended = endOf(child)
  const seen = new Map<number, string>()
  const look = () => {
    const running = processes()
    const below = new Set([child.pid ?? 0])
    // Children have been started after their parents, and so come after them.
    for (const { pid, parentPid } of running) {
      if (!below.has(parentPid)) continue
      below.add(pid)
      const command = commandOf(pid)
      if (command !== '') seen.set(pid, command)
    }
    return running.filter(({ pid }) => below.has(pid) && pid !== child.pid)
  }
  const looking = setInterval(look, 100)
  onTestFinished(() => {
    clearInterval(looking)
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  let shown = ''
  child.stdout?.on('data', (chunk) => {
    shown += chunk
  })
  return {
    child,
    ended,
    offspring: () => look().length,
    pidsOf: (text) => [...seen].filter(([, command]) => command.includes(text)).map(([pid]) => pid),
    whenShown: (line) =>
      vi.waitFor(() => expect(shown.split('\n').some((text) => line.test(text))).toBe(true), 30_000),
    expectNothingLeft() {
      const left = processes()
        .map(({ pid }) => ({ pid, command: commandOf(pid) }))
        .filter(
          ({ pid, command }) => command !== '' && (seen.get(pid) === command || command.includes(folder)),
        )
      expect(left).toEqual([])
      // With all that is in it, which tells who has put it there.
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      expect(names.filter((name) => name.startsWith('gone-'))).toEqual([])
    },
  }
}

/**
 * What runs on this machine, the oldest first, without zombies: where nobody reaps orphans, the dead keep their number. Read where `ps`
 * would read it, because that takes longer on a busy machine than some of them live.
 */
function processes(): { pid: number; parentPid: number }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => processOf(pid))
    .sort((one, other) => one.startedAt - other.startedAt)
}

function processOf(pid: string) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // After the name, which may hold anything.
    const [state, parentPid, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z') return []
    return [{ pid: Number(pid), parentPid: Number(parentPid), startedAt: Number(rest[17]) }]
  } catch {
    // It has ended meanwhile.
    return []
  }
}

/** Its command line, which only a few are asked for: all of them ten times a second would take a tenth of a core. Empty where it has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}
