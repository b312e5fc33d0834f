import { describe, expect, it } from 'vitest'
import { Dips } from '../../chaos/fleet-mix/dips.ts'
import { drawFaults } from '../../chaos/fleet-mix/faults.ts'
import { drawFleetSetting, sayOf } from '../../chaos/fleet-mix/setting.ts'
import type { Harm, Job, Kept, Kind, Run } from '../../chaos/fleet-mix/stories.ts'
import { checkStories } from '../../chaos/fleet-mix/story-checker.ts'
import { Random } from '../../chaos/random.ts'

const FOREVER = Number.POSITIVE_INFINITY

interface Told {
  readonly kind?: Kind
  readonly job?: Partial<Job>
  readonly runs?: readonly (readonly [phase: Run['phase'], atMs: number, fence: number, pid: number])[]
  readonly kept?: Kept | 'nothing'
  readonly harms?: readonly Harm[]
  /** Of each start and end, if not 1. */
  readonly attempts?: readonly number[]
}

const RUN = [
  ['start', 100, 1, 7],
  ['end', 150, 1, 7],
] as const
const AGAIN = [
  ['start', 100, 1, 7],
  ['start', 900, 2, 8],
  ['end', 950, 2, 8],
] as const
const KILLED: Harm = { what: 'SIGKILL', pids: [7], fromMs: 200, untilMs: FOREVER, isKill: true }
const COMPLETED: Kept = { state: 'completed', fence: 1 }
const DIED = 'its one start came to no end, and it may be started only once'

function wrongOf({
  kind = 'brief',
  job,
  runs = RUN,
  kept = COMPLETED,
  harms = [],
  attempts = [],
}: Told): string[] {
  const told = checkStories({
    jobs: [{ round: 'r', kind, submittedMs: 0, isTold: true, firsts: 1, ...job }],
    runs: runs.map(([phase, atMs, fence, pid], index) => {
      return { round: 'r', phase, atMs, fence, pid, attempt: attempts[index] ?? 1 }
    }),
    kept: new Map(kept === 'nothing' ? [] : [['r', kept]]),
    harms,
    soonMs: 3_000,
  })
  return told.violations.map(({ rule, what }) => `${rule}: ${what.split(';')[0]}`)
}

describe('the story of a job', () => {
  it('is well where it was run once and is completed', () => {
    expect(wrongOf({})).toEqual([])
    expect(wrongOf({ kept: 'nothing' })).toEqual(['acknowledged-kept: it is lost'])
    expect(wrongOf({ kept: { state: 'led', fence: 1 } })).toEqual(['jobs-end: it is still led'])
    expect(wrongOf({ job: { firsts: 2 } })).toEqual([
      'one-job: 2 submissions were told that they made the job',
    ])
    expect(wrongOf({ job: { isTold: false } })).toEqual(['claim: no server has taken it'])
    expect(wrongOf({ kept: { state: 'completed', fence: 2 } })).toEqual([
      'effects-match: completed under fence 2, under which no run ended',
    ])
  })

  it('has another start only where something was done to who ran it', () => {
    const kept: Kept = { state: 'completed', fence: 2 }
    expect(wrongOf({ runs: AGAIN, kept, harms: [KILLED] })).toEqual([])
    const unexplained = ['effects-match: it was started again, and nothing was done to who ran it']
    expect(wrongOf({ runs: AGAIN, kept })).toEqual(unexplained)
    expect(wrongOf({ runs: AGAIN, kept, harms: [{ ...KILLED, pids: [8] }] })).toEqual(unexplained)
    expect(wrongOf({ runs: AGAIN, kept, harms: [{ ...KILLED, fromMs: 1_000 }] })).toEqual(unexplained)
    const over: Harm = { what: 'cut off', pids: [7], fromMs: -9_000, untilMs: -5_000 }
    expect(wrongOf({ runs: AGAIN, kept, harms: [over] })).toEqual(unexplained)
  })

  it('has two ends only where the first may not have been reported', () => {
    const kept: Kept = { state: 'completed', fence: 2 }
    const runs = [...RUN, ['start', 5_000, 2, 8], ['end', 5_050, 2, 8]] as const
    expect(wrongOf({ runs, kept, harms: [{ ...KILLED, fromMs: 160 }] })).toEqual([])
    expect(wrongOf({ runs, kept, harms: [{ ...KILLED, fromMs: 4_000 }] })).toEqual([
      'effects-match: it was started again, and nothing was done to who ran it',
    ])
  })

  it('has a higher fence at each start, and an attempt more only where one has failed', () => {
    const kept: Kept = { state: 'completed', fence: 1 }
    const runs = [
      ['start', 100, 2, 7],
      ['start', 900, 1, 8],
      ['end', 950, 1, 8],
    ] as const
    expect(wrongOf({ runs, kept, harms: [KILLED] })).toEqual([
      'effects-match: started under fence 1 after fence 2',
    ])
    expect(
      wrongOf({ runs: AGAIN, kept: { ...kept, fence: 2 }, harms: [KILLED], attempts: [1, 2, 2] }),
    ).toEqual(['effects-match: attempt 2 began after 0 that failed'])
    const failing = [['start', 10, 1, 7], ['fail', 20, 1, 7], ...AGAIN.slice(1)] as Told['runs']
    const first = { kind: 'fails-first', kept: { ...kept, fence: 2 }, attempts: [1, 1, 2, 2] } as const
    expect(wrongOf({ ...first, ...(failing && { runs: failing }) })).toEqual([])
  })

  it('ends failed only as asked, or where its executor died and it may be started once', () => {
    const failed = (reason: string): Kept => ({ state: 'failed', fence: 1, reason, endedAtMs: 900 })
    expect(wrongOf({ kept: failed(DIED) })).toEqual([`jobs-end: it failed: ${DIED}`])
    const runs = [RUN[0], ['fail', 150, 1, 7]] as const
    expect(wrongOf({ kind: 'fails', runs, kept: failed('it fails as asked') })).toEqual([])
    expect(wrongOf({ kind: 'fails', runs, kept: failed('stalled') })).toEqual([
      'jobs-end: it was to fail, and not because stalled',
    ])
    const cut = { kind: 'once', runs: [RUN[0]], kept: failed(DIED) } as const
    expect(wrongOf({ ...cut, harms: [KILLED] })).toEqual([])
    const none = `jobs-end: it failed though nothing was done to its executor: ${DIED}`
    expect(wrongOf(cut)).toEqual([none])
    expect(wrongOf({ ...cut, runs: RUN, harms: [{ ...KILLED, fromMs: 4_000 }] })).toEqual([none])
    expect(wrongOf({ kind: 'once', runs: AGAIN, kept: { ...COMPLETED, fence: 2 }, harms: [KILLED] })).toEqual(
      ['effects-match: it was started 2 times'],
    )
  })

  it('goes on within 3 s of the death of who ran it', () => {
    const kept: Kept = { state: 'completed', fence: 2 }
    const runs = [RUN[0], ['start', 3_300, 2, 8], ['end', 3_350, 2, 8]] as const
    expect(wrongOf({ runs, kept, harms: [KILLED] })).toEqual([
      'claim: began elsewhere 3100 ms after its instance was killed',
    ])
    const late: Kept = { state: 'failed', fence: 1, reason: DIED, endedAtMs: 4_200 }
    expect(wrongOf({ kind: 'once', runs: [RUN[0]], kept: late, harms: [KILLED] })).toEqual([
      'claim: failed 4000 ms after its instance was killed',
    ])
  })
})

describe('how many are registered', () => {
  const seen = (dips: Dips, ...looks: readonly (readonly [atMs: number, registered: number])[]) => {
    for (const [atMs, registered] of looks) dips.see(atMs, registered, () => 'one on a')
    return dips.violations.length
  }

  it('may be too few for 3 s, and longer where that is said of what was done', () => {
    expect(seen(new Dips(6, 3_000), [0, 6], [100, 5], [3_000, 5], [3_200, 6], [9_000, 6])).toBe(0)
    expect(seen(new Dips(6, 3_000), [0, 6], [100, 5], [3_200, 5], [4_000, 5])).toBe(1)
    const excused = new Dips(6, 3_000)
    excused.excuse({ fromMs: 90, untilMs: 20_000 })
    expect(seen(excused, [0, 6], [100, 4], [19_900, 5])).toBe(0)
    expect(seen(excused, [20_100, 5])).toBe(1)
    const over = new Dips(6, 3_000)
    over.excuse({ fromMs: 0, untilMs: 90 })
    expect(seen(over, [100, 5], [3_200, 5])).toBe(1)
    expect(over.all).toMatchObject([{ fewest: 5, tookMs: 3_100 }])
  })
})

describe('the stage of the mix of the fleet', () => {
  it('is the same for a seed, and all that can be drawn is drawn', () => {
    const drawn = Array.from({ length: 40 }, (_, seed) => drawFleetSetting(new Random(seed).fork('setting')))
    expect(drawFleetSetting(new Random(7).fork('setting'))).toEqual(drawn[7])
    const said = drawn.map(sayOf)
    for (const word of [
      'appendfsync always',
      'appendfsync everysec',
      'right clocks',
      'off by',
      'two regions',
      'no regions',
    ])
      expect(said.some((line) => line.includes(word))).toBe(true)
  })
})

describe('the faults of the mix of the fleet', () => {
  it('all come before one comes more often than the others of its weight', () => {
    const faults = drawFaults(new Random(1))
    const first = Array.from({ length: 32 }, () => faults.next().value)
    const again = Array.from({ length: 32 }, () => faults.next().value)
    expect(new Set(again)).toEqual(new Set(first))
    expect(new Set(first).size).toBe(16)
    expect(first).not.toEqual(again)
  })
})
