import type { JobsOptions, Queue } from 'bullmq'
import type { Submission } from '../core/rounds/job.ts'
import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { RedisClient } from '../redis/connections.ts'
import { luaOf } from '../redis/steps.ts'
import { jobOptions } from './job-options.ts'

/** The step that records a submission, as its keys and arguments. */
export interface RecordingStep {
  readonly keys: readonly string[]
  readonly own: readonly string[]
}

/** BullMQ's scripts that add a job which need not wait for its time. */
const ADDING = ['addStandardJob', 'addPrioritizedJob']

/**
 * Has BullMQ's scripts that add a job through this client record its submission first, where they are told to. To be told before a
 * queue is opened with the client.
 *
 * @param lua the step that records a submission
 */
export function recordAsAdded(client: RedisClient, lua: string): void {
  const around = luaOf(import.meta.url, 'add-recorded')
  const define = client.defineCommand.bind(client)
  client.defineCommand = (name, definition) => {
    if (!ADDING.includes(name.split(':')[0] ?? '')) return define(name, definition)
    const whole = `local function add()\n${definition.lua}\nend\nlocal function record(KEYS, ARGV)\n${lua}\nend\n${around}`
    return define(name, { ...definition, lua: whole })
  }
}

/**
 * Records a submission and queues its job, in one script.
 *
 * @returns what the step that records it answers
 */
export async function addRecorded(
  queue: Queue,
  id: RoundId,
  submission: Submission,
  step: RecordingStep,
): Promise<unknown[]> {
  const options: JobsOptions & { readonly submission: RecordingStep } = {
    ...jobOptions(submission),
    jobId: roundKey(id),
    submission: step,
  }
  // BullMQ takes for the job's id what its script answers.
  const { id: answer } = await queue.add(id.system, submission.data ?? null, options)
  return answer as unknown as unknown[]
}
