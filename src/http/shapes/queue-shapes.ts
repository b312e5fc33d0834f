import type { QueueJson, QueueListJson } from '../../core/rounds/queue-wire.ts'
import { about, integer, listOf, objectOf, text } from '../../core/shape.ts'
import { NEXT } from './round-shapes.ts'

const QUEUE = objectOf<QueueJson>('Queue', {
  name: about('The worker that takes its jobs.', text(), 'mailer'),
  waiting: integer(),
  active: about('Jobs that are being run.', integer()),
  delayed: about('Jobs that wait for their time, or for a new attempt.', integer()),
  prioritized: about('Jobs that wait and have a priority.', integer()),
  completed: about('Of those that the board keeps, as `failed`.', integer()),
  failed: integer(),
})

export const QUEUE_LIST = objectOf<QueueListJson>('QueueList', { queues: listOf(QUEUE), next: NEXT })
