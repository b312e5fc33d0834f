import { readFileSync } from 'node:fs'

/** How much memory a process has, also of one that hangs; undefined where the system does not say. */
export function rssOf(pid: number): number | undefined {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
    return kib === undefined ? undefined : Number(kib) * 1_024
  } catch {
    return undefined
  }
}
