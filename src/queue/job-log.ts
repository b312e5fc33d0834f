import type { Job } from 'bullmq'
import { MAX_LOG_LINE_BYTES } from '../core/rounds/limits.ts'
import type { RedisClient } from '../redis/connections.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'

const STEPS = ['write-log'] as const

/** Writes into jobs' logs, up to so many lines each, whoever writes and in however many attempts. BullMQ's own bound keeps the last lines. */
export class JobLogs {
  private readonly steps: Steps<(typeof STEPS)[number]>

  constructor(
    client: RedisClient,
    private readonly maxLines: number,
  ) {
    this.steps = defineSteps(client, { beside: import.meta.url, names: STEPS, prefix: 'gone', keyCount: 2 })
  }

  /**
   * A log for one attempt. Once it is full it asks Redis no more, nor has more lines on their way than may be written: a handler need not
   * await them.
   */
  of(job: Job): (line: string) => Promise<void> {
    let isFull = false
    let asked = 0
    return async (line) => {
      if (isFull || asked > this.maxLines) return
      asked += 1
      try {
        isFull = !(await this.write(job, line)) || isFull
      } catch (error) {
        asked -= 1
        throw error
      }
    }
  }

  /** A line of ours, if it can be written: it must not decide how the attempt ends. */
  async note(job: Job, line: string): Promise<void> {
    await this.write(job, line).catch(() => undefined)
  }

  /** @returns false where the log is full */
  private async write(job: Job, line: string): Promise<boolean> {
    const key = `${job.queueQualifiedName}:${job.id}`
    const end = `… the log ends here: more than ${this.maxLines} lines`
    const written = await this.steps['write-log'](key, `${key}:logs`, lineWithin(line), this.maxLines, end)
    if (Number(written) < 0) throw new Error(`there is no job ${job.id} any more`)
    return Number(written) > 0
  }
}

const CUT = ' … cut: a longer line'

function lineWithin(line: string): string {
  const text = String(line)
  if (Buffer.byteLength(text) <= MAX_LOG_LINE_BYTES) return text
  // A character that the cut goes through is left out.
  const kept = new TextDecoder('utf-8', { ignoreBOM: true })
  const bytes = Buffer.from(text.slice(0, MAX_LOG_LINE_BYTES)).subarray(
    0,
    MAX_LOG_LINE_BYTES - Buffer.byteLength(CUT),
  )
  return kept.decode(bytes, { stream: true }) + CUT
}
