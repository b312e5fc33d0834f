import type { QueueJson } from '../core/rounds/queue-wire.ts'
import { askAll, type CallOptions } from './ask.ts'
import type { TransportOptions } from './transport.ts'

/** The queues of workers, by name. */
export function queuesOn(
  transport: TransportOptions,
  { signal }: CallOptions = {},
): Promise<readonly QueueJson[]> {
  return askAll<QueueJson>(transport, { path: '/api/v1/queues', answers: 'queues', signal })
}
