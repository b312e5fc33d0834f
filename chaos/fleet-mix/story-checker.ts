import type { Violation } from '../checker.ts'
import { type Harm, type Job, type Kept, KINDS, type Run, type Stories } from './stories.ts'

export interface StoriesChecked {
  readonly violations: readonly Violation[]
  /** Of each job that a killed instance ran: after how many ms it began elsewhere. */
  readonly againMs: readonly number[]
  /** And after how many ms it had failed, of those that may be started once. */
  readonly failedMs: readonly number[]
}

/** What a process does in its last moment it may not have reported; what it had taken it may not have begun. */
const MOMENT_MS = 1_000
const AS_ASKED = 'it fails as asked'
const DIED = 'may be started only once'

type Say = (rule: Violation['rule'], what: string) => void

interface Story {
  readonly job: Job
  readonly kept: Kept | undefined
  readonly starts: readonly Run[]
  /** All that is no start. */
  readonly ends: readonly Run[]
}

/** What is wrong with what became of the jobs: none is lost, run again without a cause, or ends for a reason that is none. */
export function checkStories({ jobs, runs, kept, harms, soonMs }: Stories): StoriesChecked {
  const runsOf = byRound(runs)
  const violations: Violation[] = []
  const againMs: number[] = []
  const failedMs: number[] = []
  for (const job of jobs) {
    const own = runsOf.get(job.round) ?? []
    const starts = own.filter(({ phase }) => phase === 'start')
    const ends = own.filter(({ phase }) => phase !== 'start')
    const story: Story = { job, kept: kept.get(job.round), starts, ends }
    const say: Say = (rule, what) => violations.push({ rule, what: `${what}; ${textOf(story, harms)}` })
    checkEnd(story, harms, say)
    checkStarts(story, harms, say)
    const times = timesOf(story, harms)
    againMs.push(...times.againMs)
    failedMs.push(...times.failedMs)
    for (const ms of times.againMs)
      if (ms > soonMs) say('claim', `began elsewhere ${Math.round(ms)} ms after its instance was killed`)
    for (const ms of times.failedMs)
      if (ms > soonMs) say('claim', `failed ${Math.round(ms)} ms after its instance was killed`)
  }
  return { violations, againMs, failedMs }
}

function byRound(runs: readonly Run[]): ReadonlyMap<string, readonly Run[]> {
  const rounds = new Map<string, Run[]>()
  for (const run of runs.toSorted((a, b) => a.atMs - b.atMs)) {
    const known = rounds.get(run.round)
    if (known) known.push(run)
    else rounds.set(run.round, [run])
  }
  return rounds
}

function checkEnd(story: Story, harms: readonly Harm[], say: Say): void {
  const { job, kept } = story
  if (job.firsts > 1) say('one-job', `${job.firsts} submissions were told that they made the job`)
  if (!job.isTold) say('claim', 'no server has taken it')
  else if (kept === undefined) say('acknowledged-kept', 'it is lost')
  else if (kept.state === 'completed') checkCompleted(story, say)
  else if (kept.state === 'failed') checkFailed(story, harms, say)
  else say('jobs-end', `it is still ${kept.state}`)
}

function checkCompleted({ job, kept, ends }: Story, say: Say): void {
  if (KINDS[job.kind] === 'failed') say('jobs-end', 'it is completed, and was to fail')
  if (ends.some(({ phase, fence }) => phase === 'end' && fence === kept?.fence)) return
  say('effects-match', `completed under fence ${kept?.fence}, under which no run ended`)
}

function checkFailed({ job, kept, starts, ends }: Story, harms: readonly Harm[], say: Say): void {
  const { reason = '' } = kept ?? {}
  const [start] = starts
  const mayHaveDied = start === undefined || isHarmed(start, undefined, ends, harms)
  if (KINDS[job.kind] === 'completed') say('jobs-end', `it failed: ${reason}`)
  else if (job.kind === 'fails') {
    if (reason !== AS_ASKED) say('jobs-end', `it was to fail, and not because ${reason}`)
  } else if (!reason.includes(DIED) || !mayHaveDied)
    say('jobs-end', `it failed though nothing was done to its executor: ${reason}`)
}

function checkStarts({ job, starts, ends }: Story, harms: readonly Harm[], say: Say): void {
  if (job.kind === 'once' && starts.length > 1) say('effects-match', `it was started ${starts.length} times`)
  for (const [index, start] of starts.entries()) {
    const failed = ends.filter(({ phase, atMs }) => phase === 'fail' && atMs < start.atMs)
    if (start.attempt > failed.length + 1)
      say('effects-match', `attempt ${start.attempt} began after ${failed.length} that failed`)
    const before = starts[index - 1]
    if (before === undefined) continue
    const wasLate = isHarmed(start, undefined, [], harms)
    if (start.fence <= before.fence && !wasLate)
      say('effects-match', `started under fence ${start.fence} after fence ${before.fence}`)
    const hasFailed = failed.some(({ fence }) => fence === before.fence)
    if (!hasFailed && !isHarmed(before, start, ends, harms))
      say('effects-match', 'it was started again, and nothing was done to who ran it')
  }
}

/** True if something was done to who ran it while it ran, or as it ended, before another start. */
function isHarmed(
  { pid, atMs, fence }: Run,
  next: Run | undefined,
  ends: readonly Run[],
  harms: readonly Harm[],
): boolean {
  const endMs = ends.find((end) => end.fence === fence && end.phase !== 'cut')?.atMs
  return harms.some(
    ({ pids, fromMs, untilMs }) =>
      (pids === undefined || pids.includes(pid)) &&
      untilMs >= atMs - MOMENT_MS &&
      fromMs <= (next?.atMs ?? Number.POSITIVE_INFINITY) &&
      (endMs === undefined || endMs >= fromMs - MOMENT_MS),
  )
}

/** How soon what a killed instance ran went on, where nothing else was done to anybody meanwhile. */
function timesOf({ job, kept, starts, ends }: Story, harms: readonly Harm[]) {
  const [againMs, failedMs]: [number[], number[]] = [[], []]
  for (const { isKill, pids, fromMs } of harms) {
    if (!isKill) continue
    const cut = starts.findLast(({ pid, atMs }) => pids?.includes(pid) && atMs < fromMs)
    if (cut === undefined || ends.some(({ fence }) => fence === cut.fence)) continue
    const next = starts.find(({ atMs }) => atMs > fromMs)
    if (next) againMs.push(next.atMs - fromMs)
    else if (job.kind === 'once' && kept?.endedAtMs !== undefined) failedMs.push(kept.endedAtMs - fromMs)
  }
  return { againMs, failedMs }
}

/** The whole of it, for whoever reads what is wrong. */
function textOf({ job, kept, starts, ends }: Story, harms: readonly Harm[]): string {
  const runs = [...starts, ...ends].sort((a, b) => a.atMs - b.atMs)
  const pids = new Set(runs.map(({ pid }) => pid))
  const sinceMs = (atMs: number) => `+${Math.round(atMs - job.submittedMs)} ms`
  const done = harms
    .filter((harm) => harm.untilMs > job.submittedMs && (harm.pids ?? []).some((pid) => pids.has(pid)))
    .map(({ what, fromMs }) => `${what} at ${sinceMs(fromMs)}`)
  const told = runs.map(
    ({ phase, pid, fence, attempt, atMs }) =>
      `${phase} in ${pid} under fence ${fence} (attempt ${attempt}) at ${sinceMs(atMs)}`,
  )
  const end = kept ? `${kept.state} under fence ${kept.fence ?? 'none'}` : 'no record'
  return `${job.round} (${job.kind}): ${[...told, ...done, end].join(', ')}`
}
