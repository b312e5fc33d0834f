import { JOB_IDENTITY, type RunTerms, regionQueue, type UsualTerms } from '../../core/rounds/job.ts'
import type { RoundRecord } from '../../core/rounds/record.ts'
import type { Sighting } from '../../core/rounds/round-ports.ts'

/** By what a job is out: the value that proves it, the length of its lease, and what was set of its worker as it was taken. */
export interface Hold {
  readonly value: string
  readonly leaseMs: number
  readonly usual: UsualTerms
  /** Of whose queue it was taken; missing: of the worker's own. */
  readonly region?: string
  /** How often its queue had handed it out; missing: an older build has noted it. */
  readonly turn?: number
}

/** As the record keeps it; `startMark` reads its beginning. */
export function holdText({ value, leaseMs, usual, region, turn }: Hold): string {
  return `${value} ${leaseMs} ${JSON.stringify({ turn, ...usual, region })}`
}

/** By what the gate is held for who leads the round, or has led it: an executor over HTTP has it by more than that. */
export function gateValueOf({ gate }: RoundRecord): string | undefined {
  return gate?.split(' ', 1)[0]
}

/** Undefined where no executor over HTTP has it. */
export function holdIn({ starts, gate, identity }: RoundRecord): Hold | undefined {
  const [, value, leaseMs, rest = '{}'] = /^(\S+) (\d+) (\{.*\})$/.exec(gate ?? '') ?? []
  if (starts === undefined || identity !== JOB_IDENTITY || value === undefined) return undefined
  const { region, turn, ...usual } = JSON.parse(rest) as UsualTerms & Pick<Hold, 'region' | 'turn'>
  const from = { ...(region !== undefined && { region }), ...(turn !== undefined && { turn }) }
  return { value, leaseMs: Number(leaseMs), usual, ...from }
}

/** A job that an executor over HTTP has. */
export interface Out {
  readonly queue: string
  readonly worker: string
  readonly hold: Hold
  readonly record: RoundRecord
  readonly runTerms: RunTerms
  /** How long ago it was started. */
  readonly ranMs: number
}

/** Undefined where no executor over HTTP has it. */
export function outOf({ record, submission, nowMs }: Sighting): Out | undefined {
  const hold = record && holdIn(record)
  if (!record || !hold || !submission) return undefined
  const ranMs = Math.max(0, nowMs - record.electedAtMs)
  const { queue: worker, runTerms } = submission
  const queue = hold.region === undefined ? worker : regionQueue(worker, hold.region)
  return { queue, worker, hold, record, runTerms, ranMs }
}
