import type { Patch } from './tree.ts'

/** A mistake that somebody could make, as a change of the source, and the scenario that must notice it. */
export interface Bug {
  readonly name: string
  readonly about: string
  readonly patches: readonly Patch[]
  readonly caughtBy: string
  /** Part of the short form. */
  readonly isShort?: true
  /** How much of the scenario is enough to notice it. Default: all of it, or as asked for. */
  readonly size?: number
}

const SETTLE_REFUSAL =
  "if not proven and (not anybodys or isFromBefore(record, identity, fence)) then return 'refused', now end"
const LOST =
  "if record.i ~= '' and (not record.t or now < record.e + record.x) then return answer('lost', now) end"

export const BUGS: readonly Bug[] = [
  {
    name: 'error-as-204',
    about: 'a decision that failed is answered 204',
    caughtBy: 'redis-down',
    isShort: true,
    patches: [
      {
        file: 'src/http/routes/round-routes.ts',
        find: "metrics.rounds.countElection('error')\n      throw error",
        replace: "metrics.rounds.countElection('error')\n      return sendStatus(reply, error ? 204 : 500)",
      },
    ],
  },
  {
    name: 'lease-by-own-clock',
    about: 'leases are judged by the clock of the facade',
    caughtBy: 'facade-clocks',
    isShort: true,
    patches: [
      { file: 'src/store/records/decide.lua', find: 'nowMs(), load()', replace: 'tonumber(ARGV[9]), load()' },
      {
        file: 'src/store/records/redis-records.ts',
        find: "candidate.name ?? '',\n      ])",
        replace: "candidate.name ?? '',\n        Date.now(),\n      ])",
      },
    ],
  },
  {
    name: 'completion-without-fence',
    about: 'a report is accepted whoever leads',
    caughtBy: 'takeover',
    isShort: true,
    patches: [{ file: 'src/store/records/record.lua', find: SETTLE_REFUSAL, replace: '' }],
  },
  {
    name: 'queue-without-record',
    about: 'finished jobs are removed at once, and only the queue knows what was submitted',
    caughtBy: 'job-gone',
    patches: [
      {
        file: 'src/store/records/submit.lua',
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
        find: 'new OwnedRedlock(this.nodes, {',
        replace: 'new OwnedRedlock(this.nodes.slice(0, 2), {',
      },
    ],
  },
  {
    name: 'gate-held-unwritten',
    about: 'the gate is held for the whole leadership before that is written',
    caughtBy: 'gate-holder-killed',
    patches: [
      {
        file: 'src/service/rounds/elector.ts',
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
    patches: [
      { file: 'src/app/rounds.ts', find: '      sweeper,\n      deadlines,', replace: '      deadlines,' },
    ],
  },
  {
    name: 'no-outbox',
    about: 'a submission leaves no note of what its queue must be told',
    caughtBy: 'nobody-asks-again',
    patches: [
      {
        file: 'src/store/records/submit.lua',
        find: "redis.call('ZADD', OUTBOX, now, ROUND .. '~s')",
        replace: '',
      },
    ],
  },
  {
    name: 'end-unnoted',
    about: 'a report leaves no note that the board must show it: a round without a job',
    caughtBy: 'nobody-asks-again',
    patches: [
      {
        file: 'src/store/records/record.lua',
        find: "if hasRoundJob(record) then redis.call('ZADD', OUTBOX, now, ROUND .. '~') end",
        replace: '',
      },
    ],
  },
  {
    name: 'deadline-unwatched',
    about: 'an election puts no deadline on watch: a round without a job',
    caughtBy: 'overdue',
    patches: [
      {
        file: 'src/store/records/decide.lua',
        find: "redis.call('ZADD', DEADLINES, now + candidate.deadlineMs, ROUND)",
        replace: '',
      },
    ],
  },
  {
    name: 'job-twice',
    about: 'a round that was red stays so beside what it has come to: twice a job',
    caughtBy: 'overdue',
    patches: [
      {
        file: 'src/queue/show-rounds.lua',
        find: "if redis.call('ZREM', set, id) == 1 then",
        replace: "if redis.call('ZSCORE', set, id) then",
      },
    ],
  },
  {
    name: 'end-swapped',
    about: 'a round that failed is shown as completed: a job with the wrong end',
    caughtBy: 'overdue',
    patches: [
      {
        file: 'src/queue/round-queue.ts',
        find: "as === 'nowhere' ? '' : as,",
        replace: "as === 'nowhere' ? '' : 'completed',",
      },
    ],
  },
  {
    name: 'shown-backwards',
    about: 'what was seen of a round earlier is shown over what was seen later: a job with the wrong end',
    caughtBy: 'overdue',
    patches: [
      {
        file: 'src/queue/show-rounds.lua',
        find: 'return fence < known.fence or fence == known.fence and rank < known.rank',
        replace: 'return false',
      },
      {
        file: 'src/service/rounds/sweeper.ts',
        find: 'if (!isOverdue(seen)) return isShown',
        replace: 'if (!isOverdue(seen) || isShown) return isShown',
      },
    ],
  },
  {
    name: 'read-then-write',
    about: 'the record is read, and written in a second step',
    caughtBy: 'crowd',
    isShort: true,
    patches: [
      { file: 'src/store/records/decide.lua', find: LOST, replace: '' },
      {
        file: 'src/store/records/redis-records.ts',
        find: "return this.attempt('decide who leads', id, async () => {",
        replace:
          "return this.attempt('decide who leads', id, async () => {\n      const seen = await this.read(id)\n" +
          "      if (seen.record && seen.record.identity !== candidate.identity) return { ...seen, record: seen.record, verdict: 'lost' as const }",
      },
    ],
  },
  {
    name: 'lead-kept-unheard',
    about: 'a caller that was gone before it was answered leads all the same',
    caughtBy: 'caller-gone',
    isShort: true,
    patches: [
      {
        file: 'src/http/routes/round-routes.ts',
        find: '      await elector.takeBack(id, election)\n',
        replace: '',
      },
      {
        file: 'src/service/rounds/elector.ts',
        find: '    await this.takeBack(id, electionOf(decision))\n',
        replace: '',
      },
    ],
  },
  {
    name: 'gate-waits',
    about: 'a refusal of the gate waits for its slowest node',
    caughtBy: 'gate-node-slow',
    patches: [
      {
        file: 'src/gate/redlock-gate.ts',
        find: '    if (deciding.length === this.quorum && deciding.every(isHeld))',
        replace:
          '    await Promise.all(error.attempts)\n    if (deciding.length === this.quorum && deciding.every(isHeld))',
      },
    ],
  },
  {
    name: 'list-by-own-clock',
    about: 'systems are listed by the clock of the facade',
    caughtBy: 'list-clocks',
    isShort: true,
    patches: [
      {
        file: 'src/store/records/enlist.lua',
        find: 'local now, keptMs = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])',
        replace: 'local now, keptMs = tonumber(ARGV[3] or time[1] * 1000), tonumber(ARGV[2])',
      },
      {
        file: 'src/store/records/system-index.ts',
        find: 'enlist(SYSTEMS_KEY, name, keptMs)',
        replace: 'enlist(SYSTEMS_KEY, name, keptMs, Date.now())',
      },
    ],
  },
  {
    name: 'keys-unnamed',
    about: 'the scripts name the record alone, and derive the other keys of its system',
    caughtBy: 'slots-move',
    patches: [
      {
        file: 'src/store/records/record.lua',
        find: 'FENCE, HISTORY, OUTBOX, OVERDUE, DEADLINES = keys[2], keys[3], keys[4], keys[5], keys[6]',
        replace:
          "local SYSTEM = string.sub(RECORD, 1, -1 - #':round:' - #ROUND)\n" +
          "FENCE, HISTORY = SYSTEM .. ':fence', SYSTEM .. ':history'\n" +
          "OUTBOX, OVERDUE, DEADLINES = SYSTEM .. ':outbox', SYSTEM .. ':overdue', SYSTEM .. ':deadlines'",
      },
      {
        file: 'src/store/records/redis-records.ts',
        find: 'const keyCount = 1 + SYSTEM_KEYS.length',
        replace: 'const keyCount = 1',
      },
      {
        file: 'src/store/records/redis-records.ts',
        find: '...SYSTEM_KEYS.map((key) => all + key), ',
        replace: '',
      },
    ],
  },
  {
    name: 'short-retention',
    about: 'records are kept for a second, which is less than the queues keep their jobs',
    caughtBy: 'job-gone',
    patches: [
      {
        file: 'src/app/rounds.ts',
        find: 'new RedisRecords(lines.commands, config.retentionMs,',
        replace: 'new RedisRecords(lines.commands, 1_000,',
      },
    ],
  },
  {
    name: 'leases-remembered',
    about: 'a facade remembers the leader of a leased round for ever',
    caughtBy: 'takeover',
    patches: [
      {
        file: 'src/service/rounds/round-memory.ts',
        find: 'return Math.min(LED_FOR_MS, heldMs, keptMs, deadlineAtMs(record) - nowMs)',
        replace: 'return heldMs > 0 ? keptMs : keptMs',
      },
    ],
  },
  {
    name: 'lead-remembered',
    about: 'a facade tells a leader from memory that it leads',
    caughtBy: 'ended-elsewhere',
    isShort: true,
    patches: [
      {
        file: 'src/service/rounds/elector.ts',
        find: 'if (leadership === undefined || this.inDoubt.has(key)) return undefined',
        replace:
          'if (leadership === undefined || this.inDoubt.has(key)) return undefined\n' +
          '    const record = { ...leadership, electedAtMs: 0, deadlineMs: 60_000 }\n' +
          "    if (leadership.identity === candidate.identity) return { verdict: 'alreadyLeader', leadership, seen: { record, nowMs: 0 } }",
      },
    ],
  },
  {
    name: 'finished-leads',
    about: 'the leader of a finished round is told that it leads',
    caughtBy: 'ended-elsewhere',
    patches: [
      {
        file: 'src/store/records/decide.lua',
        find: "  if record.c then return answer('lost', now) end\n  if record.i == candidate.identity then",
        replace: '  if record.i == candidate.identity then',
      },
    ],
  },
  {
    name: 'lease-moved-in',
    about: 'a renewal by a shorter lease moves its end in',
    caughtBy: 'lease-cut',
    isShort: true,
    patches: [
      {
        file: 'src/store/records/record.lua',
        find: 'math.max(tonumber(record.x), now - record.e + leaseMs)',
        replace: 'now - record.e + leaseMs',
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
        file: 'src/service/rounds/elector.ts',
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
        file: 'src/store/records/start.lua',
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
        file: 'src/store/records/record.lua',
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
        file: 'src/service/rounds/job-runner.ts',
        find: "const end = { kind: 'putOff', ms: PUT_OFF_MS, why: failureOf(error).reason } as const",
        replace: "return { kind: 'failed', ...failureOf(error), isFinal: attempt.isLast }",
      },
    ],
  },
  {
    name: 'log-decides',
    about: 'an attempt has failed where a line could not be written into its log',
    caughtBy: 'jobs-without-memory',
    patches: [
      {
        file: 'src/queue/job-log.ts',
        find: 'await this.write(job, line).catch(() => undefined)',
        replace: 'await this.write(job, line)',
      },
    ],
  },
  {
    name: 'result-unread',
    about: 'what a handler returns is taken to be JSON',
    caughtBy: 'handler-ends',
    isShort: true,
    patches: [
      {
        file: 'src/service/rounds/job-runner.ts',
        find: 'return resultText(await handler(run))',
        replace: "return ((await handler(run)) ?? '') as string",
      },
    ],
  },
  {
    name: 'thrown-steers',
    about: 'what a handler throws is handed to BullMQ, which reads it',
    caughtBy: 'handler-ends',
    patches: [
      {
        file: 'src/service/rounds/job-runner.ts',
        find: "return { kind: 'failed', ...failure, isFinal }",
        replace: "if (!isFinal) throw thrown\n    return { kind: 'failed', ...failure, isFinal }",
      },
      {
        file: 'src/queue/job-worker.ts',
        find: "log.error({ round: job.id, cause: String(error) }, 'an attempt ended by a defect of ours')",
        replace: 'throw error',
      },
    ],
  },
  {
    name: 'hand-back-any',
    about: 'what living instances run is handed back with what a dead one ran',
    caughtBy: 'handed-back',
    size: 0.1,
    patches: [{ file: 'src/queue/hand-back.ts', find: 'value.startsWith(lock)', replace: "value !== ''" }],
  },
  {
    name: 'hand-back-late',
    about: 'what a dead instance ran is handed back after a time, and not because its process has ended',
    caughtBy: 'handed-back',
    size: 0.1,
    patches: [
      {
        file: 'src/service/fleet/aftermath.ts',
        find: 'await life.process.endLeft()',
        replace: 'await pause(10_000)',
      },
    ],
  },
  {
    name: 'gate-left-behind',
    about: 'what a dead instance ran is handed back, and the gate that it held for it is not',
    caughtBy: 'fleet-mix',
    size: 0.2,
    patches: [
      {
        file: 'src/queue/hand-back.ts',
        find: '      await this.releaseGate(round, instance)\n',
        replace: '',
      },
    ],
  },
  {
    name: 'death-fails',
    about: 'a job whose instance died ends failed, though it may be started again',
    caughtBy: 'fleet-mix',
    size: 0.2,
    patches: [
      {
        file: 'src/service/rounds/job-record.ts',
        find: 'const maxStarts = number + MAX_DEATHS',
        replace: 'const maxStarts = number',
      },
    ],
  },
  {
    name: 'ended-is-silent',
    about: 'an instance that has ended in order is told of as one of which nothing is heard',
    caughtBy: 'fleet-mix',
    size: 0.2,
    patches: [
      {
        file: 'src/core/fleet/wrongs.ts',
        find: "if (end?.kind !== 'lost') return false",
        replace: 'if (end === undefined) return false',
      },
    ],
  },
  {
    name: 'hung-is-left',
    about: 'an instance whose event loop does not answer is only told of',
    caughtBy: 'hung-instance',
    patches: [
      {
        file: 'src/service/fleet/supervisor.ts',
        find: 'if (silentMs >= hungMs && (await mayRecycle(life))) {',
        replace: 'if (silentMs >= 10 * hungMs && (await mayRecycle(life))) {',
      },
    ],
  },
  {
    name: 'replaced-after',
    about: 'an instance is ended before another is in its place',
    caughtBy: 'rolling-under-load',
    patches: [
      {
        file: 'src/service/fleet/place.ts',
        find: '    const next = await this.begin(',
        replace: '    await this.retire(life, cause)\n    const next = await this.begin(',
      },
    ],
  },
  {
    name: 'outage-is-loss',
    about: 'hosts are lost whose lease ended while it was Redis that was away',
    caughtBy: 'places-move',
    patches: [
      {
        file: 'src/store/pools/pools.lua',
        find: "if now - touched > SILENCE_MS then redis.call('ZADD', LEASES, now + GRACE_MS, '~grace') end",
        replace: '',
      },
    ],
  },
  {
    name: 'place-left-first',
    about: 'a place that moves has ended where it was before it works where it goes to',
    caughtBy: 'places-move',
    patches: [
      {
        file: 'src/core/fleet/arrange.ts',
        find: '...(from && from.id !== taker.id && { from: from.id }),',
        replace: '',
      },
    ],
  },
  {
    name: 'release-unproven',
    about: 'a new release need not live for a while before what was there ends',
    caughtBy: 'bad-release',
    patches: [
      {
        file: 'src/service/fleet/pool-places.ts',
        find: 'isTried ? PROOF_MS : 0',
        replace: 'isTried ? 0 : 0',
      },
    ],
  },
  {
    name: 'release-goes-on',
    about: 'a deploy goes on to the next place although an instance of it is no good',
    caughtBy: 'bad-release',
    patches: [
      {
        file: 'src/core/fleet/rollout.ts',
        find: 'if (underway.length > 0) return NOTHING',
        replace: 'if (underway.length > own.length) return NOTHING',
      },
      {
        file: 'src/core/fleet/rollout.ts',
        find: "if (report?.state === 'failed' || report?.state === 'crash-looping')",
        replace: "if (report?.state === 'stopped')",
      },
    ],
  },
  {
    name: 'restart-unbounded',
    about: 'an instance that dies again and again is started again and again',
    caughtBy: 'crash-loop',
    patches: [
      {
        file: 'src/core/fleet/restart.ts',
        find: 'if (short >= MOST_SHORT_LIVES)',
        replace: 'if (short > 1_000_000)',
      },
    ],
  },
  {
    name: 'drain-is-death',
    about: 'a start that was given back counts as one that came to no end',
    caughtBy: 'drained-often',
    patches: [
      {
        file: 'src/store/records/start.lua',
        find: 'if starts - givenBack >= mostStarts then',
        replace: 'if starts >= mostStarts then',
      },
    ],
  },
  {
    name: 'give-back-counts-twice',
    about: 'a start that is given back again is one more that does not count',
    caughtBy: 'taken',
    isShort: true,
    patches: [
      {
        file: 'src/store/records/give-back.lua',
        find: "event.k == 'b' and event.f == ARGV[3]",
        replace: "event.k == ''",
      },
    ],
  },
  {
    name: 'taken-unnoted',
    about: 'which job a token was given is noted nowhere',
    caughtBy: 'taken',
    patches: [
      {
        file: 'src/service/rounds/taker.ts',
        find: 'if (!hasToken(value)) return undefined\n    const noted',
        replace: 'if (value) return undefined\n    const noted',
      },
    ],
  },
  {
    name: 'suspects-together',
    about: 'jobs whose workers die are run side by side for ever',
    caughtBy: 'killer-beside',
    patches: [
      {
        file: 'src/service/rounds/job-runner.ts',
        find: 'if (isSuspect && this.suspect !== undefined)',
        replace: 'if (isSuspect && this.suspect === "nobody")',
      },
    ],
  },
  {
    name: 'breath-unlooked',
    about: 'a handler begins although the gate ended while its process stood still',
    caughtBy: 'breath-held',
    patches: [
      {
        file: 'src/service/rounds/gate-hold.ts',
        find: 'return !this.isLost && this.parts.nowMs() < this.validUntilMs',
        replace: 'return !this.isLost',
      },
    ],
  },
  {
    name: 'loss-unsaid',
    about: 'a server does not notice that Redis is empty',
    caughtBy: 'flushall',
    patches: [
      {
        file: 'src/store/beat.lua',
        find: "loss = 'emptied'",
        replace: "loss = ''",
      },
    ],
  },
  {
    name: 'lock-on-file-alone',
    about: 'the lock of a data folder is on a file in it, which somebody may remove',
    caughtBy: 'lock-removed',
    patches: [
      { file: 'src/process/tether.ts', find: 'for fd in 4 5; do', replace: 'for fd in 4; do' },
      {
        file: 'src/embedded/supervision.ts',
        find: 'if (!existsSync(lockFileIn(dataDir))) await noteHolder',
        replace: 'if (lockFileIn(dataDir) === existsSync.name) await noteHolder',
      },
    ],
  },
  {
    name: 'folder-unwatched',
    about: 'a server does not notice that its data folder was taken away',
    caughtBy: 'folder-removed',
    patches: [
      {
        file: 'src/embedded/supervision.ts',
        find: 'if (found !== folder) {',
        replace: "if (found === 'taken') {",
      },
    ],
  },
  {
    name: 'silence-unheard',
    about: 'who waits for Redis waits for one that is stopped, and nobody hears what the sentinels say',
    caughtBy: 'primary-stopped',
    patches: [
      {
        file: 'src/redis/connections.ts',
        find: 'maxRetriesPerRequest: null, socketTimeout: SILENT_MS }',
        replace: 'maxRetriesPerRequest: null }',
      },
      {
        file: 'src/redis/connections.ts',
        find: 'const moved = clients.filter(',
        replace: 'const moved = clients.slice(0, 0).filter(',
      },
    ],
  },
  {
    name: 'old-primary-believed',
    about: 'a facade stays with a primary that was replaced, for as long as its connection is there',
    caughtBy: 'primary-stopped',
    patches: [
      {
        file: 'src/redis/connections.ts',
        find: '  socketTimeout: 4 * COMMAND_TIMEOUT_MS,\n',
        replace: '',
      },
      {
        file: 'src/redis/connections.ts',
        find: 'const moved = clients.filter(',
        replace: 'const moved = clients.slice(0, 0).filter(',
      },
    ],
  },
  {
    name: 'delay-by-own-clock',
    about: 'workers promote delayed jobs by their own clock',
    caughtBy: 'delay-clocks',
    patches: [
      {
        file: 'src/queue/redis-time.ts',
        find: 'if (argument === undefined) return define(name, definition)',
        replace: "if (argument === undefined || name !== '') return define(name, definition)",
      },
    ],
  },
  {
    name: 'lock-by-own-clock',
    about: 'workers renew the locks of their jobs when that is due by their own clock',
    caughtBy: 'long-job-clocks',
    patches: [
      {
        file: 'src/queue/heard-worker.ts',
        find: 'return super.set(id, { ...tracked, ts: Number.NEGATIVE_INFINITY })',
        replace: 'return super.set(id, tracked)',
      },
    ],
  },
  {
    name: 'timer-overflows',
    about: 'a time limit of months is given to a timer that cannot hold it, and fires at once',
    caughtBy: 'times-long',
    patches: [{ file: 'src/waiting.ts', find: 'restMs > MAX_TIMER_MS', replace: 'restMs < -MAX_TIMER_MS' }],
  },
  {
    name: 'job-of-another',
    about: 'a job runs for whatever record has its name',
    caughtBy: 'job-outlives-record',
    patches: [
      {
        file: 'src/store/records/start.lua',
        find: "if ARGV[7] ~= '' and record.s ~= ARGV[7] then return { 'another', now } end",
        replace: '',
      },
    ],
  },
  {
    name: 'recorded-unqueued',
    about: 'a submission whose job is to be queued in the same step is recorded without it',
    caughtBy: 'job-fails',
    patches: [{ file: 'src/queue/add-recorded.lua', find: '\nadd()\n', replace: '\n' }],
  },
  {
    name: 'earlier-job-taken',
    about:
      'a job that an earlier submission has left is taken for the one of a submission that is recorded and queued in one step',
    caughtBy: 'job-outlives-record',
    patches: [
      {
        file: 'src/queue/add-recorded.lua',
        find: "or redis.call('EXISTS', job[1] .. job[2]) == 1",
        replace: '',
      },
    ],
  },
  {
    name: 'output-cut',
    about: 'the output of a command is given a second, however slow its reader is',
    caughtBy: 'reader-slow',
    isShort: true,
    patches: [
      {
        file: 'src/cli/rounds/command.ts',
        find: 'if (isToldToEnd() || !isReaderBehind()) restMs -= LOOK_MS',
        replace: 'if (isToldToEnd() || isReaderBehind() || restMs > 0) restMs -= LOOK_MS',
      },
    ],
  },
  {
    name: 'session-escapes',
    about: 'a command that is killed is known by its process group alone',
    caughtBy: 'command-apart',
    patches: [
      {
        file: 'src/process/tether.ts',
        find: 'marked() { [ -n "$mark" ] && grep',
        replace: 'marked() { [ -z "$1" ] && grep',
      },
    ],
  },
  {
    name: 'retry-of-completed',
    about: 'a completed round is opened again like a failed one',
    caughtBy: 'retry',
    isShort: true,
    patches: [
      {
        file: 'src/store/records/retry.lua',
        find: "if record.c == 'c' then return answer('completed', now) end",
        replace: '',
      },
    ],
  },
  {
    name: 'retry-of-the-same-job',
    about: 'a round is opened again for the job that has failed, which is not run any more',
    caughtBy: 'retry',
    patches: [
      {
        file: 'src/store/records/retry.lua',
        find: 'math.max(now, record.s + 1)',
        replace: 'record.s',
      },
    ],
  },
  {
    name: 'retry-untold',
    about: 'what a queue must hear of a round that is opened again is not noted with it',
    caughtBy: 'retry',
    patches: [
      {
        file: 'src/store/records/retry.lua',
        find: "redis.call('ZADD', OUTBOX, now, ROUND .. '~s')",
        replace: '',
      },
      {
        file: 'src/service/rounds/retrier.ts',
        find: 'await queueJob(jobs, id, submission)',
        replace: 'if (log) throw new Error("not now")',
      },
    ],
  },
  {
    name: 'late-after-retry',
    about: 'who led a round before it was opened again may report it',
    caughtBy: 'retry',
    patches: [
      {
        file: 'src/store/records/record.lua',
        find: "if isFromBefore(record, identity, fence) then return 'refused', now end",
        replace: '',
      },
    ],
  },
  {
    name: 'cancel-over-end',
    about: 'a round that has an end of its own is told to be cancelled',
    caughtBy: 'cancel',
    patches: [
      {
        file: 'src/store/records/cancel.lua',
        find: "if record.c then return answer(record.w == ARGV[4] and 'alreadyCancelled' or 'ended', nowMs()) end",
        replace: '',
      },
    ],
  },
  {
    name: 'cancel-untold',
    about: 'the handler of a cancelled round runs on',
    caughtBy: 'cancel',
    patches: [
      {
        file: 'src/service/rounds/job-runner.ts',
        find: 'endedByOther ??= end\n        limits.end(',
        replace: 'endedByOther ??= end\n        void ((_: unknown) => _)(',
      },
    ],
  },
  {
    name: 'call-after-its-time',
    about: 'a call is started whether its time is over or not',
    caughtBy: 'calls-mix',
    isShort: true,
    patches: [
      {
        file: 'src/store/records/start.lua',
        find: "if giveUpInMs and giveUpInMs <= 0 then return notStarted({ 'late', now, record.f or 0 }) end",
        replace: '',
      },
    ],
  },
  {
    name: 'call-once-again',
    about: 'a call that is to start once is started again where its worker died',
    caughtBy: 'calls-mix',
    patches: [
      {
        file: 'src/service/rounds/caller.ts',
        find: "...(isOnce && { ifExecutorDies: 'fail' }),",
        replace: '...(isOnce && {}),',
      },
    ],
  },
  {
    name: 'call-for-each-request',
    about: 'each request of a call is another call, whatever its token',
    caughtBy: 'calls-mix',
    patches: [
      {
        file: 'src/core/rounds/call.ts',
        find: "createHash('sha256').update(token)",
        replace: "createHash('sha256').update(token + Math.random())",
      },
    ],
  },
  {
    name: 'instance-lease-by-own-clock',
    about: 'an instance says by its own clock until when it lives',
    caughtBy: 'instance-killed',
    isShort: true,
    patches: [
      {
        file: 'src/store/fleet/pulse.lua',
        find: "redis.call('ZADD', LEASES, now + lease, id)",
        replace: "redis.call('ZADD', LEASES, lease, id)",
      },
      {
        file: 'src/store/fleet/redis-fleet.ts',
        find: "this.step('pulse', [leaseMs, freshEpoch(), ...own])",
        replace: "this.step('pulse', [Date.now() + leaseMs, freshEpoch(), ...own])",
      },
    ],
  },
  {
    name: 'lost-for-good',
    about: 'an instance that was taken for lost is not listed again',
    caughtBy: 'instance-stopped',
    patches: [
      {
        file: 'src/store/fleet/pulse.lua',
        find: "if not row or row.ending == '-' or row.ending == 'lost' then",
        replace: "if not row or row.ending == '-' then",
      },
    ],
  },
  {
    name: 'vouched-for-beside',
    about: 'a thread beside the event loop says that it lives',
    caughtBy: 'loop-blocked',
    patches: [
      {
        file: 'src/service/fleet/instance-pulse.ts',
        find: 'this.running ??= this.run()',
        replace:
          "this.running ??= this.run()\n    const beside = \"const { Redis } = require('ioredis'); const { workerData } = require('node:worker_threads'); " +
          "const redis = new Redis(process.env.REDIS_URL); setInterval(() => redis.zadd('gone:{~fleet}:leases', Date.now() + 10000, workerData), 2000)\"\n    " +
          "const { id } = this.parts.instance.facts()\n    void import('node:worker_threads').then(({ Worker }) => new Worker(beside, { eval: true, workerData: id }).unref())",
      },
    ],
  },
  {
    name: 'ping-is-enough',
    about: 'whoever says that it lives is taken to take jobs',
    caughtBy: 'fetch-wedged',
    patches: [
      {
        file: 'src/core/fleet/health.ts',
        find: 'idle.set(name, lastTakenAtMs > since ? nowMs : since)',
        replace: 'idle.set(name, lastTakenAtMs > since ? since : nowMs)',
      },
    ],
  },
  {
    name: 'region-orphaned',
    about: 'what waits for a region that nobody is in any more waits for ever',
    caughtBy: 'region-left',
    patches: [
      {
        file: 'src/service/fleet/region-watch.ts',
        find: 'if (nowMs - sinceMs >= MOVE_ON_AFTER_MS) await',
        replace: 'if (nowMs - sinceMs >= MOVE_ON_AFTER_MS * 100) await',
      },
    ],
  },
  {
    name: 'region-of-nobody',
    about: 'a region is taken to be served by whoever is registered somewhere',
    caughtBy: 'region-left',
    patches: [
      {
        file: 'src/core/fleet/instance.ts',
        find: 'one.regional === true && one.region === region && !one.end',
        replace: "one.regional === true && region !== '' && !one.end",
      },
    ],
  },
  {
    name: 'left-out-unsaid',
    about: 'of an instance that prints without end lines are left out, and nobody is told',
    caughtBy: 'log-flood',
    patches: [{ file: 'src/store/logs/add.lua', find: "'d', whole(first - expected)", replace: "'d', '0'" }],
  },
  {
    name: 'recycled-together',
    about: 'all instances of a worker that take no jobs are replaced at once',
    caughtBy: 'stuck-recycled',
    patches: [
      {
        file: 'src/store/fleet/recycle.lua',
        find: ' or #times > 0 and now - tonumber(times[#times]) < apart',
        replace: '',
      },
    ],
  },
  {
    name: 'recycled-for-ever',
    about: 'instances that take no jobs are replaced again and again',
    caughtBy: 'stuck-recycled',
    patches: [{ file: 'src/store/fleet/recycle.lua', find: '#times >= most or ', replace: '' }],
  },
  {
    name: 'dies-of-silence',
    about: 'an instance that the registry does not hear ends itself',
    caughtBy: 'host-cut-off',
    patches: [
      {
        file: 'src/service/fleet/instance-pulse.ts',
        find: '      if (this.isHeard)\n        log.warn(',
        replace: "      process.kill(process.pid, 'SIGTERM')\n      if (this.isHeard)\n        log.warn(",
      },
    ],
  },
  {
    name: 'permission-unheard',
    about: 'an instance that did not hear that it may obey is refused when it asks again',
    caughtBy: 'host-deaf',
    patches: [
      {
        file: 'src/store/fleet/claim.lua',
        find: "if kind == 'obeying' then return { 1 } end",
        replace: '',
      },
    ],
  },
  {
    name: 'no-grace',
    about: 'after an outage of Redis everybody whose lease has ended meanwhile is taken for lost',
    caughtBy: 'redis-outage-30s',
    patches: [
      {
        file: 'src/store/fleet/fleet.lua',
        find: 'if now - touched > SILENCE_MS then',
        replace: 'if now - touched > 1000 * SILENCE_MS then',
      },
    ],
  },
  {
    name: 'mark-after-snapshot',
    about: 'a listener learns where to listen on after it has read who is there',
    caughtBy: 'redis-restart-listener',
    patches: [
      {
        file: 'src/client/fleet.ts',
        find: 'after = ((await ask(transport, events)).json as FleetEventsJson).at\n',
        replace: '',
      },
      {
        file: 'src/client/fleet.ts',
        find: "yield { kind: 'snapshot', instances: await askAll<InstanceJson>(transport, question) }",
        replace:
          'const instances = await askAll<InstanceJson>(transport, question)\n      after = ((await ask(transport, events)).json as FleetEventsJson).at\n' +
          "      yield { kind: 'snapshot', instances }",
      },
    ],
  },
  {
    name: 'orders-by-poke-alone',
    about: 'an instance looks for orders only when it is poked',
    caughtBy: 'poke-lost',
    isShort: true,
    patches: [
      {
        file: 'src/service/fleet/instance-pulse.ts',
        find: 'const listening = pokes.listen(instance.facts().id, () => this.hurry())',
        replace:
          'const own = this as { isPoked?: boolean }\n    const listening = pokes.listen(instance.facts().id, () => {\n      own.isPoked = true\n      this.hurry()\n    })',
      },
      {
        file: 'src/service/fleet/instance-pulse.ts',
        find: 'if (reply.orders === undefined) return',
        replace: 'if (reply.orders === undefined || !(this as { isPoked?: boolean }).isPoked) return',
      },
    ],
  },
  {
    name: 'order-outlives-its-end',
    about: 'an order is obeyed whenever an instance comes to it',
    caughtBy: 'order-late-host',
    patches: [
      {
        file: 'src/store/fleet/claim.lua',
        find: "if kind ~= 'waiting' then return { 0 } end",
        replace: "if kind == 'waiting' or kind == 'expired' then return { 1 } end",
      },
      {
        file: 'src/store/fleet/expire.lua',
        find: "note(order, id, 'expired', now, '')\n    settle(order, id)",
        replace: "note(order, id, 'expired', now, '')\n    redis.call('ZREM', DUE, entry)",
      },
    ],
  },
  {
    name: 'first-page-alone',
    about: 'who is there is read from the first page of the registry',
    caughtBy: '1000-hosts',
    patches: [
      {
        file: 'src/store/fleet/redis-fleet.ts',
        find: "} while (cursor !== '0')",
        replace: "} while (cursor === '')",
      },
    ],
  },
  {
    name: 'taken-for-ever',
    about: 'a job that was taken over HTTP is not followed when its lease has ended',
    caughtBy: 'python-worker',
    patches: [
      {
        file: 'src/queue/job-takes.ts',
        find: 'await taken.getBackend().moveStalledJobsToWait()',
        replace: '',
      },
    ],
  },
  {
    name: 'end-told-once',
    about: 'how a handler has ended is told to the record once, and given up where that does not answer',
    caughtBy: 'worker-cut',
    isShort: true,
    patches: [
      {
        file: 'src/service/rounds/job-runner.ts',
        find: "error.code === 'STORE_UNAVAILABLE') || !goesOn()",
        replace: "error.code === 'STORE_UNAVAILABLE') || goesOn()",
      },
    ],
  },
  {
    name: 'held-is-waiting',
    about: 'jobs that nobody is to take, of a paused queue or one at its limit, count as waiting',
    caughtBy: 'no-false-alarm',
    patches: [
      {
        file: 'src/core/fleet/health.ts',
        find: 'ready > 0 && !isHeld',
        replace: 'ready > 0 && (isHeld || ready > 0)',
      },
    ],
  },
  {
    name: 'first-thousand',
    about: 'of the systems in use the same thousand are looked at each time',
    caughtBy: 'many-systems',
    patches: [{ file: 'src/store/records/system-index.ts', find: '    this.at += WINDOW\n', replace: '' }],
  },
]
