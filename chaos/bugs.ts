import type { Patch } from './tree.ts'

/** A mistake that somebody could make, as a change of the source, and the scenario that must notice it. */
export interface Bug {
  readonly name: string
  readonly about: string
  readonly patches: readonly Patch[]
  readonly caughtBy: string
  /** Part of the short form. */
  readonly isShort?: true
}

const SETTLE_REFUSAL = "if not proven and not anybodys then return 'refused', now end"
const LOST = "if record.c or not record.t or now < record.e + record.x then return answer('lost', now) end"

export const BUGS: readonly Bug[] = [
  {
    name: 'error-as-204',
    about: 'a decision that failed is answered 204',
    caughtBy: 'redis-down',
    isShort: true,
    patches: [
      {
        file: 'src/http/round-routes.ts',
        find: "metrics.countElection('error')\n      throw error",
        replace: "metrics.countElection('error')\n      return sendStatus(reply, error ? 204 : 500)",
      },
    ],
  },
  {
    name: 'lease-by-own-clock',
    about: 'leases are judged by the clock of the facade',
    caughtBy: 'facade-clocks',
    isShort: true,
    patches: [
      { file: 'src/records/decide.lua', find: 'nowMs(), load()', replace: 'tonumber(ARGV[8]), load()' },
      {
        file: 'src/records/redis-records.ts',
        find: '        gate,\n      ])',
        replace: '        gate,\n        Date.now(),\n      ])',
      },
    ],
  },
  {
    name: 'completion-without-fence',
    about: 'a report is accepted whoever leads',
    caughtBy: 'takeover',
    isShort: true,
    patches: [{ file: 'src/records/record.lua', find: SETTLE_REFUSAL, replace: '' }],
  },
  {
    name: 'queue-without-record',
    about: 'finished jobs are removed at once, and only the queue knows what was submitted',
    caughtBy: 'job-gone',
    patches: [
      {
        file: 'src/records/submit.lua',
        find: "if record then return answer('duplicate', now) end",
        replace:
          "if record and not record.c then return answer('duplicate', now) end\nif record then redis.call('DEL', RECORD) end",
      },
      { file: 'src/queue/job-worker.ts', find: 'removeOnComplete: keep', replace: 'removeOnComplete: true' },
    ],
  },
  {
    name: 'identity-by-address',
    about: 'candidates are told apart by their address',
    caughtBy: 'same-token',
    isShort: true,
    patches: [
      {
        file: 'src/http/requests.ts',
        find: 'token === undefined ? callIdentity() : tokenIdentity(token)',
        replace: "token === '' ? callIdentity() : tokenIdentity(request.ip)",
      },
    ],
  },
  {
    name: 'token-ignored',
    about: 'a retry is not recognised: tokens are not looked at',
    caughtBy: 'answer-unheard',
    patches: [
      {
        file: 'src/http/requests.ts',
        find: 'token === undefined ? callIdentity() : tokenIdentity(token)',
        replace: "token === '' ? tokenIdentity(token) : callIdentity()",
      },
    ],
  },
  {
    name: 'even-gate',
    about: 'the gate asks two of its three nodes',
    caughtBy: 'gate-node-down',
    patches: [
      {
        file: 'src/gate/redlock-gate.ts',
        find: 'new Redlock(nodes, {',
        replace: 'new Redlock(nodes.slice(0, 2), {',
      },
    ],
  },
  {
    name: 'gate-held-unwritten',
    about: 'the gate is held for the whole leadership before that is written',
    caughtBy: 'gate-holder-killed',
    patches: [
      {
        file: 'src/service/elector.ts',
        find: 'Math.min(WRITE_WITHIN_MS, terms.leaseMs ?? GATE_TTL_MS)',
        replace: 'terms.leaseMs ?? GATE_TTL_MS',
      },
    ],
  },
  {
    name: 'gate-open-when-down',
    about: 'a gate that nobody answers for is taken to be passed',
    caughtBy: 'gate-majority-down',
    patches: [
      {
        file: 'src/gate/redlock-gate.ts',
        find: "? { kind: 'unreachable', detail }",
        replace: "? { kind: 'passed', value: detail }",
      },
    ],
  },
  {
    name: 'no-sweeper',
    about: 'nobody tells the queues what a dead facade could not',
    caughtBy: 'nobody-asks-again',
    patches: [{ file: 'src/app.ts', find: '  sweeper.start()\n', replace: '' }],
  },
  {
    name: 'no-outbox',
    about: 'a submission leaves no note of what its queue must be told',
    caughtBy: 'nobody-asks-again',
    patches: [
      { file: 'src/records/submit.lua', find: "redis.call('ZADD', OUTBOX, now, ROUND .. '~s')", replace: '' },
    ],
  },
  {
    name: 'read-then-write',
    about: 'the record is read, and written in a second step',
    caughtBy: 'crowd',
    isShort: true,
    patches: [
      { file: 'src/records/decide.lua', find: LOST, replace: '' },
      {
        file: 'src/records/redis-records.ts',
        find: "return this.attempt('decide who leads', id, async () => {",
        replace:
          "return this.attempt('decide who leads', id, async () => {\n      const seen = await this.read(id)\n" +
          "      if (seen.record && seen.record.identity !== candidate.identity) return { ...seen, record: seen.record, verdict: 'lost' as const }",
      },
    ],
  },
  {
    name: 'short-retention',
    about: 'records are kept for a second, which is less than the queues keep their jobs',
    caughtBy: 'job-gone',
    patches: [
      {
        file: 'src/app.ts',
        find: 'new RedisRecords(commands, config.retentionMs)',
        replace: 'new RedisRecords(commands, 1_000)',
      },
    ],
  },
  {
    name: 'leases-remembered',
    about: 'a facade remembers the leader of a leased round for ever',
    caughtBy: 'takeover',
    patches: [
      {
        file: 'src/service/round-memory.ts',
        find: 'isReplaceable(record) ?',
        replace: 'isReplaceable(record) && !record.leader ?',
      },
    ],
  },
  {
    name: 'doubt-shared',
    about: 'the identity of a call whose answer was lost is given to more than one caller',
    caughtBy: 'doubt',
    isShort: true,
    patches: [
      {
        file: 'src/service/elector.ts',
        find: '    this.inDoubt.delete(key)\n    return { ...candidate, identity }',
        replace: '    return { ...candidate, identity }',
      },
    ],
  },
  {
    name: 'fence-kept',
    about: 'a job that is started again has the fence of its first start',
    caughtBy: 'worker-killed-after',
    patches: [
      {
        file: 'src/records/start.lua',
        find: "local fence = redis.call('INCR', FENCE)",
        replace: "local fence = tonumber(redis.call('HGET', RECORD, 'f') or redis.call('INCR', FENCE))",
      },
    ],
  },
  {
    name: 'fence-not-compared',
    about: 'who shows a fence is known by its token alone',
    caughtBy: 'second-life',
    patches: [
      {
        file: 'src/records/record.lua',
        find: "if fence ~= '' then return fence == record.f end",
        replace: '',
      },
    ],
  },
  {
    name: 'outage-spends-attempt',
    about: 'a gate that was lost in an outage counts as a failed attempt',
    caughtBy: 'gate-outlived',
    patches: [
      {
        file: 'src/queue/job-worker.ts',
        find: "['STORE_UNAVAILABLE', 'GATE_LOST']",
        replace: "['STORE_UNAVAILABLE']",
      },
    ],
  },
  {
    name: 'log-decides',
    about: 'an attempt has failed where a line could not be written into its log',
    caughtBy: 'jobs-without-memory',
    patches: [
      {
        file: 'src/queue/job-worker.ts',
        find: 'await job.log(line).catch(() => undefined)',
        replace: 'await job.log(line)',
      },
    ],
  },
  {
    name: 'loss-unsaid',
    about: 'a server does not notice that Redis is empty',
    caughtBy: 'flushall',
    patches: [
      {
        file: 'src/redis/beat.lua',
        find: "loss = 'emptied'",
        replace: "loss = ''",
      },
    ],
  },
]
