import { readKept } from './aftermath.ts'
import type { Loaded } from './loaded.ts'
import { checkStories } from './story-checker.ts'

/** Judges all that became of the jobs, and of how many were there to run them. */
export async function judgeJobs(loaded: Loaded): Promise<void> {
  const { world, urls, sight, load, dips, runs, marks, soonMs, replacedMs } = loaded
  const kept = await readKept(world, { urls, load })
  await sight.stop()
  for (const what of dips.violations) world.claim(false, what)
  const told = checkStories({ jobs: load.jobs, runs: runs.read(), kept, harms: marks.harms, soonMs })
  world.break(told.violations)
  world.besides = { rounds: load.jobs.length, calls: load.calls, unknown: load.unknown }
  const longest = Math.max(0, ...dips.all.map(({ tookMs }) => tookMs))
  world.remarks.push(
    `${load.jobs.length} jobs at ${load.rate.toFixed(0)}/s; fewer were registered than asked ${dips.all.length} times, for at most ${Math.round(longest)} ms; a timer here was late by at most ${Math.round(sight.latestMs)} ms`,
  )
  const counts = [
    ['instances killed, and another registered', replacedMs],
    ['jobs that they ran, begun elsewhere', told.againMs],
    ['of those that may be started once, ended failed', told.failedMs],
  ] as const
  for (const [what, times] of counts)
    if (times.length > 0) world.remarks.push(`${what}: ${countOf(times, soonMs)}`)
}

function countOf(times: readonly number[], soonMs: number): string {
  return `${times.filter((ms) => ms <= soonMs).length} of ${times.length} within ${soonMs} ms (${spread(times)})`
}

/** How long it took. */
function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1)} ms`
}
