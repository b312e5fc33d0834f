import type { TakenJson } from '../../core/rounds/taken.ts'
import { about, anything, duration, integer, objectOf, optional, text } from '../../core/shape.ts'

export const TAKEN = objectOf<TakenJson>('TakenJob', {
  system: about('The name that the replicas of one service share.', text(), 'cleaner'),
  round: about('One occurrence of the work.', text(), '2026-11-22'),
  worker: text(),
  data: about('What was submitted, any JSON.', anything()),
  attempt: about('From 1; a new one follows a failure.', integer(1)),
  fence: about('Grows with each start: to be shown with each report.', integer(1)),
  lease: about('How long it may be kept without being renewed.', duration(), '30s'),
  timeout: optional(about('How long the attempt may take.', duration())),
  traceparent: optional(about('The trace that this attempt is part of, as W3C writes it.', text())),
})
