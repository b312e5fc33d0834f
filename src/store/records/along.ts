import { JOB_IDENTITY, MAX_DEATHS } from '../../core/rounds/job.ts'
import { MAX_DEADLINE_MS } from '../../core/rounds/record.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import type { FinishRuling, LockAhead, StartRuling } from '../../core/rounds/round-ports.ts'
import { luaOf } from '../../redis/steps.ts'
import { CHANNEL_PREFIX } from '../round-channel.ts'
import { finishRulingOf, type RedisRecords, startRulingOf } from './redis-records.ts'

/**
 * The record's steps by which a worker starts and completes a round, for whoever takes them along with a script of his own. Where one
 * server keeps the queues, the records and the gate.
 */
export class RecordAlong {
  /** Lua: `startOf` and `completeOf`; see along.lua. The same text in all workers of an installation. */
  readonly lua: string

  constructor(
    private readonly records: RedisRecords,
    retentionMs: number,
    lock: Pick<LockAhead, 'keyPrefix' | 'ttlMs'>,
  ) {
    const shared = {
      IDENTITY: JOB_IDENTITY,
      RETENTION_MS: String(retentionMs),
      DEADLINE_MS: String(MAX_DEADLINE_MS),
      MOST_DEATHS: MAX_DEATHS,
      GATE_PREFIX: lock.keyPrefix,
      GATE_TTL_MS: String(lock.ttlMs),
      CHANNEL_PREFIX,
    }
    const constants = Object.entries(shared).map(
      ([name, value]) => `local ${name} = ${JSON.stringify(value)}\n`,
    )
    const steps = (['start', 'finish'] as const).map(
      (name) => `${name} = function()\n${luaOf(import.meta.url, name)}\nend,\n`,
    )
    const body = [
      ...constants,
      'local function general()\nlocal KEYS, ARGV = {}, {}\n',
      luaOf(import.meta.url, 'record'),
      `local steps = {\n${steps.join('')}}\n`,
      'return function(name, keys, own)\nKEYS, ARGV = keys, own\nisStepOf(keys, own)\nreturn steps[name]()\nend\nend\n',
      luaOf(import.meta.url, 'along'),
    ]
    this.lua = `local startOf, completeOf\ndo\n${body.join('')}\nend\n`
  }

  started(id: RoundId, reply: unknown[]): StartRuling {
    this.records.noteUsed(id.system)
    return startRulingOf(reply)
  }

  completed(id: RoundId, reply: unknown[]): FinishRuling {
    this.records.noteUsed(id.system)
    return finishRulingOf(reply)
  }
}
