import type { RoundId } from '../core/rounds/round.ts'
import type { FinishRuling, LockAhead, StartRuling } from '../core/rounds/round-ports.ts'
import type { RedisClient } from '../redis/connections.ts'
import { type Argument, luaOf } from '../redis/steps.ts'
import type { Taken } from '../service/rounds/job-record.ts'

/** The steps of the record that BullMQ's scripts take along, where one server keeps the queues, the records and the gate. */
export interface StepsAlong {
  /** Lua: `startOf` and `completeOf`. */
  readonly lua: string
  /** A new lock of the gate. */
  readonly lock: () => LockAhead
  /** What they answer. */
  readonly started: (id: RoundId, reply: unknown[]) => StartRuling
  readonly completed: (id: RoundId, reply: unknown[]) => FinishRuling
  readonly nowMs: () => number
}

/** A completion that is to be told with the end of its job, and what came of it as soon as that is known. */
export interface Completion {
  readonly id: RoundId
  readonly fence: number
  readonly result: string
  /** Value of the gate's lock. */
  readonly lock: string
  ruling?: FinishRuling
}

/** The record has it that the round is not this job's to complete; nothing was changed. */
export class CompletionRefused extends Error {
  constructor(readonly ruling: FinishRuling) {
    super('the completion was refused')
  }
}

interface Script {
  /** How many arguments BullMQ's script takes, keys apart. */
  readonly own: number
  /** Where the queue's prefix is among its keys and arguments. */
  readonly prefixAt: number
  /** Where the key of the job is that has ended. */
  readonly jobAt?: number
}

/** Those that hand out a job. `moveToDelayed` may too: the round of such a one is started in a step of its own. */
const SCRIPTS: Readonly<Record<string, Script>> = {
  moveToActive: { own: 3, prefixAt: 11 },
  moveToFinished: { own: 9, prefixAt: 20, jobAt: 11 },
}

type Start = Pick<Taken, 'lock' | 'askedAtMs'> & { readonly reply: unknown[] }

/** By key of the job. No Map: the tables that it has outgrown hold what they held, and grow old; see `stops.ts`. */
type Known<T> = { [job: string]: T }

type Send = (all: Argument[]) => Promise<[unknown, unknown[]?, unknown[]?]>

/**
 * Has BullMQ's scripts by which a worker is handed jobs and ends them start and complete their rounds in the same step: one round trip
 * a job, and not three. To be made before a worker is opened with the client.
 */
export class Along {
  private readonly starts: Known<Start> = Object.create(null)
  private readonly completions: Known<Completion> = Object.create(null)

  /** @param address of the worker, for display */
  constructor(
    client: RedisClient,
    private readonly steps: StepsAlong,
    private readonly address: string,
  ) {
    const around = luaOf(import.meta.url, 'along')
    const define = client.defineCommand.bind(client)
    client.defineCommand = (name, definition) => {
      const script = SCRIPTS[name.split(':')[0] ?? '']
      if (script === undefined) return define(name, definition)
      const move = `local function move()\n${definition.lua}\nend\n`
      define(name, { ...definition, lua: `local OWN = ${script.own}\n${steps.lua}${move}${around}` })
      // defineCommand adds methods that the client's type cannot know.
      const commands = client as unknown as Record<string, Send>
      const send = (commands[name] as Send).bind(client)
      commands[name] = (all) => this.send(send, script, all) as ReturnType<Send>
    }
  }

  private async send(send: Send, { prefixAt, jobAt }: Script, all: readonly Argument[]): Promise<unknown> {
    const { value, keyPrefix, ttlMs } = this.steps.lock()
    const askedAtMs = this.steps.nowMs()
    const completion = jobAt === undefined ? undefined : this.completions[all[jobAt] as string]
    const besides = completion ? [completion.fence, completion.result, completion.lock] : []
    const [moved, completed, reply] = await send([...all, this.address, value, ...besides])
    if (completion && completed) {
      completion.ruling = this.steps.completed(completion.id, completed)
      if (completion.ruling.verdict === 'refused') throw new CompletionRefused(completion.ruling)
    }
    if (reply) {
      const id = (moved as string[])[1]
      const lock = { key: `${keyPrefix}${id}`, value, ttlMs }
      this.starts[`${all[prefixAt]}${id}`] = { reply, lock, askedAtMs }
    }
    return moved
  }

  /** What came of the start of a job that has been handed out, told once; undefined where it was not taken along. */
  taken(job: string, id: RoundId): Taken | undefined {
    const start = this.starts[job]
    if (start === undefined) return undefined
    delete this.starts[job]
    const { reply, lock, askedAtMs } = start
    return { ruling: this.steps.started(id, reply), lock, askedAtMs }
  }

  /** Completes the round with the end of the job, as long as `end` takes to tell it. */
  async complete<T>(job: string, completion: Completion, end: () => Promise<T>): Promise<T> {
    this.completions[job] = completion
    try {
      return await end()
    } finally {
      delete this.completions[job]
    }
  }
}
