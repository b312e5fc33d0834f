import { describe, expect, it } from 'vitest'
import { callIdentity, hasToken, tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { judgeCompletion } from '../../src/core/rounds/completion.ts'
import { judgeElection, judgeRenewal } from '../../src/core/rounds/election.ts'
import { type RoundRecord, stateOf } from '../../src/core/rounds/record.ts'

const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const bert = { address: '10.0.0.2:2', identity: tokenIdentity('bert') }
const nobody = { address: '10.0.0.3:3', identity: callIdentity('call-1') }
const somebody = { address: '10.0.0.3:3', identity: callIdentity('call-2') }

function led(by: { address: string; identity: string }, more: Partial<RoundRecord> = {}): RoundRecord {
  return {
    leader: by.address,
    identity: by.identity,
    fence: 7,
    electedAtMs: 1_000,
    deadlineMs: 5_000,
    ...more,
  }
}

const done = { outcome: 'completed', by: anna.address, atMs: 2_000, detail: '' } as const
const lease = { ms: 1_000, expiresAtMs: 2_000 }

describe('identities', () => {
  it('are short whatever the token, and tell tokens from calls', () => {
    expect(tokenIdentity('x'.repeat(128))).toHaveLength(22)
    expect(hasToken(tokenIdentity('~call'))).toBe(true)
    expect(hasToken(callIdentity('call'))).toBe(false)
  })
})

describe('judgeElection', () => {
  it.each([
    ['elects the first candidate', undefined, anna, 0, 'elected'],
    ['keeps the leader when the winner asks again', led(anna), anna, 9_999, 'alreadyLeader'],
    ['refuses another candidate', led(anna), bert, 9_999, 'lost'],
    [
      'takes two calls without a token for two candidates, also from one address',
      led(nobody),
      somebody,
      0,
      'lost',
    ],
    ['refuses another while the lease runs', led(anna, { lease }), bert, 1_999, 'lost'],
    ['lets another take over when the lease has ended', led(anna, { lease }), bert, 2_000, 'takenOver'],
    [
      'keeps a leader whose lease has ended while nobody has taken over',
      led(anna, { lease }),
      anna,
      9_999,
      'alreadyLeader',
    ],
    [
      'never lets a finished round be taken over',
      led(anna, { lease, completion: done }),
      bert,
      9_999,
      'lost',
    ],
    ['does not mistake the deadline for a lease', led(anna), bert, 999_999, 'lost'],
  ] as const)('%s', (_, record, candidate, nowMs, verdict) => {
    expect(judgeElection(record, candidate, nowMs)).toBe(verdict)
  })
})

describe('judgeRenewal', () => {
  it.each([
    ['renews for the token', led(anna, { lease }), anna, 'renewed'],
    ['renews for the fence', led(nobody, { lease }), { ...somebody, fence: 7 }, 'renewed'],
    [
      'refuses an older fence even with the right token',
      led(anna, { lease }),
      { ...anna, fence: 6 },
      'superseded',
    ],
    ['refuses another', led(anna, { lease }), bert, 'superseded'],
    ['tells a leader that the round is finished', led(anna, { completion: done }), anna, 'finished'],
    ['tells that nobody leads', undefined, anna, 'notLed'],
  ] as const)('%s', (_, record, reporter, verdict) => {
    expect(judgeRenewal(record, reporter)).toBe(verdict)
  })
})

describe('judgeCompletion', () => {
  const byStranger = { ...done, identity: nobody.identity }
  it.each([
    ['records the token holder', led(anna), anna, 'recorded'],
    ['records the holder of the fence', led(anna), { ...nobody, fence: 7 }, 'recorded'],
    ['records anybody where nobody chose a token', led(nobody), somebody, 'recorded'],
    ['records a token where the leader had none', led(nobody), bert, 'recorded'],
    ['records a round that nobody led', undefined, nobody, 'recorded'],
    ['refuses a stranger on a round led with a token', led(anna), bert, 'refused'],
    ['refuses a caller without token or fence on it', led(anna), nobody, 'refused'],
    ['refuses an older fence', led(anna), { ...anna, fence: 6 }, 'refused'],
    [
      'refuses an older fence also where the leader had no token',
      led(nobody),
      { ...somebody, fence: 6 },
      'refused',
    ],
    ['answers the leader again as at first', led(anna, { completion: done }), anna, 'alreadyRecorded'],
    [
      'answers the fence again as at first',
      led(nobody, { completion: done }),
      { ...somebody, fence: 7 },
      'alreadyRecorded',
    ],
    [
      'answers the same call again as at first',
      led(somebody, { completion: byStranger }),
      nobody,
      'alreadyRecorded',
    ],
    ['refuses a second reporter', led(nobody, { completion: byStranger }), somebody, 'refused'],
    ['refuses another on a finished round', led(anna, { completion: done }), bert, 'refused'],
  ] as const)('%s', (_, record, reporter, verdict) => {
    expect(judgeCompletion(record, reporter, 'completed')).toBe(verdict)
  })

  it('does not let the leader change its report', () => {
    expect(judgeCompletion(led(anna, { completion: done }), anna, 'failed')).toBe('refused')
  })
})

describe('stateOf', () => {
  it('is led, then overdue from the deadline on, unless it is finished', () => {
    expect(stateOf(led(anna), 5_999)).toBe('led')
    expect(stateOf(led(anna), 6_000)).toBe('overdue')
    expect(stateOf(led(anna, { completion: done }), 6_000)).toBe('completed')
  })
})
