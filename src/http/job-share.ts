import type { FastifyRequest } from 'fastify'
import { MIN_JOB_BYTES } from '../core/key-shares.ts'
import { regionQueue, type Submission } from '../core/rounds/job.ts'
import { type RoundId, roundKey } from '../core/rounds/round.ts'

/** Counts a job's data for the request's key, where a key is needed: once, however often. @throws GoneError `QUOTA_EXCEEDED` */
export async function claimJob(
  request: FastifyRequest,
  id: RoundId,
  { queue, data, runTerms: { region } }: Pick<Submission, 'queue' | 'data' | 'runTerms'>,
): Promise<void> {
  const { access } = request.server
  if (!access.counts(request)) return
  const bytes = Buffer.byteLength(JSON.stringify(data ?? null))
  await access.claim(
    request,
    'queuedBytes',
    `${region === undefined ? queue : regionQueue(queue, region)}/${roundKey(id)}`,
    Math.max(bytes, MIN_JOB_BYTES),
  )
}
