import { describe, expect, it } from 'vitest'
import { type CheckOptions, check, RULES } from '../../chaos/checker.ts'
import type { Event, Operation, Return } from '../../chaos/history.ts'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'

type Answer = Partial<Omit<Return, 'kind' | 'call' | 'atMs'>>
interface Said {
  readonly token?: string
  readonly fence?: number
  readonly leaseMs?: number
  readonly round?: string
  readonly isFinal?: true
}

/** A history made by hand: each call is given the ms of its sending and of its answer. */
class Story {
  readonly events: Event[] = []
  private calls = 0

  call(op: Operation, [sentMs, toldMs]: [number, number], said: Said, answer: Answer): this {
    this.calls += 1
    const { round = 'r', ...rest } = said
    this.events.push({
      kind: 'invoke',
      atMs: sentMs,
      call: this.calls,
      op,
      system: 's',
      round,
      to: 'f',
      ...rest,
    })
    this.events.push({ kind: 'return', atMs: toldMs, call: this.calls, result: 'ok', ...answer })
    return this
  }

  leads(token: string, fence: number, times: [number, number], said: Said = {}): this {
    return this.call('elect', times, { token, ...said }, { status: 202, fence, leader: `at-${token}` })
  }

  loses(token: string, times: [number, number], answer: Answer = {}): this {
    return this.call('elect', times, { token }, { status: 204, ...answer })
  }

  run(phase: 'start' | 'end', fence: number, atMs: number): this {
    this.events.push({ kind: 'effect', atMs, system: 's', round: 'r', fence, phase, pid: 1 })
    return this
  }

  shown(state: string, reason?: string): this {
    this.events.push({ kind: 'shown', atMs: 900, system: 's', round: 'r', state, ...(reason && { reason }) })
    return this
  }

  healed(atMs = 500): this {
    this.events.push({ kind: 'healed', atMs })
    return this
  }

  reads(record: Partial<RoundJson> | undefined, times: [number, number] = [800, 801]): this {
    const status = record ? 200 : 404
    const whole = record && ({ system: 's', round: 'r', leader: 'at-a', fence: 1, ...record } as RoundJson)
    const answer = { status, result: record ? 'ok' : 'fail', ...(whole && { record: whole }) } as const
    return this.call('round', times, { isFinal: true }, answer)
  }
}

const story = () => new Story()
const rulesOf = ({ events }: Story, options?: CheckOptions) => [
  ...new Set(check(events, options).map(({ rule }) => rule)),
]
const job = { worker: 'probe', submittedAt: '', starts: 1 }
const submitted = () => story().call('submit', [0, 1], {}, { status: 202 })
const completedJob = { state: 'completed', fence: 2, leader: 'w', job } as const

const GOOD: readonly [string, Story, CheckOptions?][] = [
  ['nothing at all', story()],
  ['one leader, the others told so', story().leads('a', 1, [0, 5]).loses('b', [0, 6]).loses('c', [7, 8])],
  ['a leader that asks again', story().leads('a', 1, [0, 5]).leads('a', 1, [6, 7])],
  ['a loss while the winner has no answer yet', story().leads('a', 1, [0, 9]).loses('b', [1, 2])],
  [
    'a loss to a call that got no answer',
    story().call('elect', [0, 3], { token: 'a' }, { result: 'unknown', status: 500 }).loses('b', [4, 5]),
  ],
  [
    'a loss to who completed without asking',
    story().call('complete', [0, 1], { token: 'a' }, { status: 200 }).loses('b', [2, 3]),
  ],
  [
    'a takeover after the lease',
    story().leads('a', 1, [0, 1], { leaseMs: 100 }).leads('b', 2, [90, 101], { leaseMs: 100 }),
  ],
  [
    'a takeover after a renewed lease',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 100 })
      .call('renew', [50, 51], { token: 'a', leaseMs: 100 }, { status: 200, fence: 1 })
      .leads('b', 2, [140, 151], { leaseMs: 100 }),
  ],
  [
    'an early takeover where the clock of Redis jumped',
    story().leads('a', 1, [0, 1], { leaseMs: 100 }).leads('b', 2, [10, 11], { leaseMs: 100 }),
    { redisClockJumps: true },
  ],
  [
    'fences that overlap in time',
    story().leads('a', 2, [0, 9], { round: 'r1' }).leads('b', 1, [1, 5], { round: 'r2' }),
  ],
  [
    'a fence given to a call without a token whose answer was lost, and told to the next',
    story()
      .call('elect', [0, 1], { round: 'r1' }, { result: 'unknown', status: 500 })
      .leads('a', 2, [2, 3], { round: 'r2' })
      .call('elect', [4, 5], { round: 'r1' }, { status: 202, fence: 1 }),
  ],
  [
    'a report and its repetition',
    story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 9], { token: 'a' }, { result: 'unknown' })
      .call('complete', [10, 11], { token: 'a' }, { status: 200 })
      .call('complete', [12, 13], { fence: 1 }, { status: 200 }),
  ],
  [
    'a late report that was refused',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 10 })
      .leads('b', 2, [20, 21], { leaseMs: 10 })
      .call('complete', [30, 31], { token: 'a' }, { result: 'fail', status: 400 })
      .call('complete', [32, 33], { token: 'b' }, { status: 200 }),
  ],
  [
    'a led round that has a job, of an older build',
    story().leads('a', 1, [0, 1]).healed().reads({ state: 'led' }).shown('delayed'),
    { olderBuild: true },
  ],
  ['a round that is kept', story().leads('a', 1, [0, 1]).healed().reads({ state: 'led' }).shown('unknown')],
  [
    'records lost on purpose',
    story().leads('a', 1, [0, 1]).healed().reads(undefined),
    { recordsAreLost: true },
  ],
  [
    'a job whose first worker died',
    submitted()
      .run('start', 1, 10)
      .run('start', 2, 20)
      .run('end', 2, 30)
      .healed()
      .reads(completedJob)
      .shown('completed'),
  ],
  [
    'a job that failed with its reason',
    submitted()
      .healed()
      .reads({ state: 'failed', completion: { outcome: 'failed', by: 'w', at: '', reason: 'no' } }),
  ],
  [
    'a leader that is told that it has reported',
    story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 3], { token: 'a' }, { status: 200 })
      .loses('a', [4, 5], { state: 'completed' })
      .loses('b', [4, 5], { fence: 1 }),
  ],
  [
    'a leader that is told that it leads while its report is under way',
    story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 9], { token: 'a' }, { status: 200 })
      .call('elect', [3, 10], { token: 'a' }, { status: 202, fence: 1, state: 'led' }),
  ],
  ['a job that is overdue and red', submitted().healed().reads({ state: 'overdue' }).shown('failed')],
]

const BAD: readonly [string, keyof typeof RULES, Story][] = [
  ['two leaders under one fence', 'one-leader', story().leads('a', 1, [0, 1]).leads('b', 1, [0, 2])],
  ['two leaders without a lease', 'one-leader', story().leads('a', 1, [0, 1]).leads('b', 2, [3, 4])],
  [
    'two calls without a token that both lead',
    'one-leader',
    story()
      .call('elect', [0, 1], {}, { status: 202, fence: 1 })
      .call('elect', [0, 1], {}, { status: 202, fence: 1 }),
  ],
  [
    'a takeover before the lease has run out',
    'lease-respected',
    story().leads('a', 1, [0, 1], { leaseMs: 100 }).leads('b', 2, [50, 99], { leaseMs: 100 }),
  ],
  [
    'a takeover of a lease that was renewed',
    'lease-respected',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 100 })
      .call('renew', [80, 81], { token: 'a', leaseMs: 100 }, { status: 200, fence: 1 })
      .leads('b', 2, [100, 110], { leaseMs: 100 }),
  ],
  [
    'a later round with a lower fence',
    'fences-grow',
    story().leads('a', 2, [0, 1], { round: 'r1' }).leads('b', 1, [5, 6], { round: 'r2' }),
  ],
  [
    'one fence of two rounds',
    'fences-grow',
    story().leads('a', 1, [0, 9], { round: 'r1' }).leads('b', 1, [1, 5], { round: 'r2' }),
  ],
  [
    'a loser told of another leader',
    'answers-agree',
    story().leads('a', 1, [0, 1]).loses('b', [2, 3], { fence: 1, leader: 'at-c' }),
  ],
  [
    'elected naming another than its header',
    'answers-agree',
    story()
      .leads('a', 1, [0, 1])
      .call('elected', [2, 3], {}, { status: 200, text: 'at-c', fence: 1, leader: 'at-a' }),
  ],
  ['a loss that nobody won', 'no-false-loss', story().loses('a', [0, 1]).loses('b', [0, 1])],
  ['a loss before its winner had asked', 'no-false-loss', story().loses('b', [0, 1]).leads('a', 1, [2, 3])],
  [
    'a loss against a call that was refused',
    'no-false-loss',
    story().call('complete', [0, 1], { token: 'a' }, { result: 'fail', status: 400 }).loses('b', [2, 3]),
  ],
  [
    'a loss to oneself',
    'no-false-loss',
    story().call('elect', [0, 1], { token: 'a' }, { result: 'unknown' }).loses('a', [2, 3]),
  ],
  [
    'a leader that is forgotten',
    'never-forgotten',
    story().leads('a', 1, [0, 1]).call('elected', [2, 3], {}, { status: 204 }),
  ],
  [
    'an older leader named again',
    'never-forgotten',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 10 })
      .leads('b', 2, [20, 21])
      .call('elected', [22, 23], {}, { status: 200, fence: 1, leader: 'at-a', text: 'at-a' }),
  ],
  [
    'a completion that is forgotten',
    'never-forgotten',
    story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 3], { token: 'a' }, { status: 200 })
      .call('completed', [4, 5], {}, { status: 204 }),
  ],
  [
    'a completion by another than before',
    'never-forgotten',
    story()
      .call('completed', [0, 1], {}, { status: 200, text: 'x' })
      .call('completed', [2, 3], {}, { status: 200, text: 'y' }),
  ],
  [
    'two reports accepted',
    'one-completion',
    story()
      .call('complete', [0, 1], { token: 'a' }, { status: 200 })
      .call('complete', [0, 1], { token: 'b' }, { status: 200 }),
  ],
  [
    'done and failed',
    'one-completion',
    story()
      .call('complete', [0, 1], { token: 'a' }, { status: 200 })
      .call('fail', [2, 3], { token: 'a' }, { status: 200 }),
  ],
  [
    'a leader after the end',
    'one-completion',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 10 })
      .call('complete', [2, 3], { token: 'a' }, { status: 200 })
      .leads('b', 2, [20, 21]),
  ],
  [
    'a leader that is told that it leads when it has reported',
    'one-completion',
    story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 3], { token: 'a' }, { status: 200 })
      .leads('a', 1, [4, 5]),
  ],
  [
    'a state from before the end',
    'never-forgotten',
    story()
      .leads('a', 1, [0, 1])
      .call('fail', [2, 3], { token: 'a' }, { status: 200 })
      .loses('b', [4, 5], { fence: 1, state: 'led' }),
  ],
  [
    'a late report accepted',
    'late-refused',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 10 })
      .leads('b', 2, [20, 21])
      .call('complete', [22, 23], { token: 'a' }, { status: 200 }),
  ],
  [
    'a late renewal accepted, by its fence',
    'late-refused',
    story()
      .leads('a', 1, [0, 1], { leaseMs: 10 })
      .leads('b', 2, [20, 21])
      .call('renew', [22, 23], { fence: 1 }, { status: 200 }),
  ],
  ['a round that is gone', 'acknowledged-kept', story().leads('a', 1, [0, 1]).healed().reads(undefined)],
  ['a promised round that nobody read back', 'acknowledged-kept', story().leads('a', 1, [0, 1]).healed()],
  [
    'a record with a lower fence than was promised',
    'acknowledged-kept',
    story().leads('a', 2, [0, 1]).healed().reads({ state: 'led', fence: 1 }),
  ],
  [
    'a report that is not in the record',
    'acknowledged-kept',
    story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 3], { token: 'a' }, { status: 200 })
      .healed()
      .reads({ state: 'led' }),
  ],
  [
    'a round that is not decided in time',
    'decided-in-time',
    story()
      .healed()
      .call('elect', [600, 700], { token: 'p' }, { result: 'unknown', status: 500 })
      .leads('p', 1, [5_700, 5_800])
      .reads({ state: 'led' }),
  ],
  [
    'a round that is lost to all who ask for it, and led by nobody',
    'decided-in-time',
    story()
      .call('elect', [0, 10], { token: 'dead' }, { result: 'unknown', code: 'ECONNRESET' })
      .healed()
      .loses('p', [600, 700])
      .reads(undefined),
  ],
  ['a job that never ended', 'jobs-end', submitted().healed().reads({ state: 'led', job })],
  ['a job that failed without a reason', 'jobs-end', submitted().healed().reads({ state: 'failed', job })],
  [
    'two submissions that both made the job',
    'one-job',
    submitted().call('submit', [2, 3], {}, { status: 202 }),
  ],
  [
    'a start under a fence that does not grow',
    'effects-match',
    submitted().run('start', 2, 10).run('start', 2, 20),
  ],
  [
    'a completion under a fence whose run did not end',
    'effects-match',
    submitted().run('start', 1, 10).run('end', 1, 11).healed().reads(completedJob),
  ],
  [
    'a completed round whose job still waits',
    'board-agrees',
    story().leads('a', 1, [0, 1]).healed().reads({ state: 'completed' }).shown('delayed'),
  ],
  [
    'a led round that has a job already',
    'board-agrees',
    story().leads('a', 1, [0, 1]).healed().reads({ state: 'led' }).shown('delayed'),
  ],
  [
    'a completed round without a job',
    'board-agrees',
    story().leads('a', 1, [0, 1]).healed().reads({ state: 'completed' }).shown('unknown'),
  ],
  [
    'a completed round that has ended in two ways',
    'board-agrees',
    story().leads('a', 1, [0, 1]).healed().reads({ state: 'completed' }).shown('in 2 places'),
  ],
  [
    'a failed round that is red for another reason',
    'board-agrees',
    story()
      .leads('a', 1, [0, 1])
      .healed()
      .reads({ state: 'failed', completion: { outcome: 'failed', at: '', by: 'a', reason: 'gave up' } })
      .shown('failed', 'no completion reported within 1 s'),
  ],
]

describe('the checker of chaos histories', () => {
  it.each(GOOD)('accepts %s', (_, { events }, options) => {
    expect(check(events, options)).toEqual([])
  })

  it.each(BAD)('finds %s', (_, rule, bad) => {
    expect(rulesOf(bad)).toContain(rule)
  })

  it('has a bad history for each of its rules', () => {
    const tried = new Set(BAD.map(([, rule]) => rule))
    // What a scenario claims is not found in the history.
    expect(Object.keys(RULES).filter((rule) => rule !== 'claim' && !tried.has(rule as never))).toEqual([])
  })

  it('takes what an older build tells of finished rounds as it is', () => {
    const older = story()
      .leads('a', 1, [0, 1])
      .call('complete', [2, 3], { token: 'a' }, { status: 200 })
      .leads('a', 1, [4, 5])
      .loses('b', [4, 5], { fence: 1, state: 'led' })
    expect(rulesOf(older, { olderBuild: true })).toEqual([])
  })

  it('looks at two leaders even where records are lost on purpose', () => {
    const lost = story().leads('a', 1, [0, 1]).leads('b', 1, [3, 4])
    expect(rulesOf(lost, { recordsAreLost: true })).toEqual(['one-leader'])
  })
})
