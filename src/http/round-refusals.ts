import { formatRound, type RoundId } from '../core/rounds/round.ts'
import type { Sighting } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import type { Retry } from '../service/rounds/retrier.ts'

export function notThere(id: RoundId): GoneError {
  return new GoneError('NOT_LED', `${formatRound(id)}: nobody has led or submitted this round`)
}

export function finished(id: RoundId, { record }: Pick<Sighting, 'record'>): GoneError {
  const { outcome, by } = record?.completion ?? { outcome: 'finished', by: '' }
  return new GoneError('ROUND_FINISHED', `${formatRound(id)}: ${outcome} by ${by}`)
}

/** Why a round was not opened again. */
export function notOpened(id: RoundId, retry: Exclude<Retry, { readonly verdict: 'opened' }>): GoneError {
  const round = formatRound(id)
  switch (retry.verdict) {
    case 'none':
      return notThere(id)
    case 'completed':
      return finished(id, retry)
    case 'running':
      return new GoneError('ROUND_NOT_ENDED', `${round}: it has neither failed nor is it overdue`)
    case 'jobGone':
      return new GoneError(
        'JOB_GONE',
        `${round}: its job was removed from its queue, and with it what it does; submit another round`,
      )
  }
}
