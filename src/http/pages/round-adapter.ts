import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { Job, Queue } from 'bullmq'
import { escapePart, parseRoundKey, type RoundId } from '../../core/rounds/round.ts'
import { type ErrorCode, GoneError } from '../../errors.ts'

/**
 * A queue of rounds, as Bull Board handles it. Whether a round runs again is for its record to say: what is left of BullMQ's own retry is a
 * job that finds its round finished, and runs nothing. So the buttons open the round again.
 */
export class RoundAdapter extends BullMQAdapter {
  /** @param open throws GoneError where the round is not opened again */
  constructor(
    queue: Queue,
    options: { readonly readOnlyMode: boolean },
    private readonly open: (id: RoundId) => Promise<void>,
  ) {
    super(queue, options)
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = ((await super.getJob(id)) ?? (await super.getJob(escapedAgain(id)))) as Job | undefined
    return job && opening(job, (round) => this.open(round).catch(toldToBoard))
  }

  override async getJobLogs(id: string): Promise<string[]> {
    const lines = await super.getJobLogs(id)
    return lines.length > 0 ? lines : super.getJobLogs(escapedAgain(id))
  }

  /** Of those that are retried all at once, the ones that cannot be are left as they are. */
  override async getJobs(...asked: Parameters<BullMQAdapter['getJobs']>): Promise<Job[]> {
    const jobs = (await super.getJobs(...asked)) as Job[]
    return jobs.map((job) => opening(job, (round) => this.open(round).catch(leftOut)))
  }
}

/** The job, whose retry opens its round again; as it is where it is none of a round. */
function opening(job: Job, open: (id: RoundId) => Promise<void>): Job {
  const id = roundOf(job)
  return id === undefined ? job : Object.assign(job, { retry: () => open(id) })
}

/** The board's page decodes the ids in its addresses twice, and those of many rounds are escaped. */
function escapedAgain(id: string): string {
  const at = id.indexOf('~')
  return at < 0 ? id : [id.slice(0, at), id.slice(at + 1)].map(escapePart).join('~')
}

function roundOf({ id = '' }: Job): RoundId | undefined {
  try {
    return parseRoundKey(id)
  } catch {
    return undefined
  }
}

/** The board answers with this status, and shows the words. */
function toldToBoard(error: unknown): never {
  if (!(error instanceof GoneError)) throw error
  throw Object.assign(new Error(error.message), { statusCode: error.status })
}

/** What a round is that is not to be opened again, whoever asks. */
const NOT_TO_BE_OPENED: ReadonlySet<ErrorCode> = new Set([
  'ROUND_FINISHED',
  'ROUND_NOT_ENDED',
  'JOB_GONE',
  'NOT_LED',
])

function leftOut(error: unknown): void {
  if (!(error instanceof GoneError) || !NOT_TO_BE_OPENED.has(error.code)) toldToBoard(error)
}
