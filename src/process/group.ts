import { readdirSync, readFileSync } from 'node:fs'
import { pause } from '../waiting.ts'

/**
 * A process that leads a group of its own, and what it has started: all in the group, and on Linux also who has left it for
 * a session of its own, found by a variable that a child inherits.
 */
export interface Kin {
  readonly pid: number
  /** `NAME=value`; missing: the group alone. */
  readonly mark?: string
}

const LOOK_MS = 25
/** What is being killed may start others meanwhile. */
const MAX_SWEEPS = 20

/** Sends SIGTERM, and SIGKILL to those that are still there after `graceMs`. Then nothing of them runs. */
export async function endKin(kin: Kin, graceMs: number): Promise<void> {
  const isAnyLeft = () => signalGroup(kin.pid, 0) || markedBy(kin).length > 0
  signalGroup(kin.pid, 'SIGTERM')
  for (const pid of markedBy(kin)) signal(pid, 'SIGTERM')
  const killAtMs = performance.now() + graceMs
  while (isAnyLeft() && performance.now() < killAtMs) await pause(LOOK_MS)
  signalGroup(kin.pid, 'SIGKILL')
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep += 1) {
    const left = markedBy(kin)
    if (left.length === 0) return
    for (const pid of left) signal(pid, 'SIGKILL')
    await pause(LOOK_MS)
  }
}

/** False if there is nobody in the group. The signal 0 only asks. */
export function signalGroup(pid: number, name: NodeJS.Signals | 0): boolean {
  // Windows has no groups.
  return signal(process.platform === 'win32' ? pid : -pid, name)
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function markedBy({ mark }: Kin): number[] {
  if (mark === undefined || process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && hasMark(name, mark))
    .map(Number)
}

function hasMark(pid: string, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark)
  } catch {
    // It has ended, or is another user's.
    return false
  }
}
