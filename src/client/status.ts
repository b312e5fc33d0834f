import type { StatusJson } from '../core/status-wire.ts'
import { ask, type CallOptions } from './ask.ts'
import type { TransportOptions } from './transport.ts'

/** How servers and Redis are. */
export async function statusOn(
  transport: TransportOptions,
  { signal }: CallOptions = {},
): Promise<StatusJson> {
  return (await ask(transport, { path: '/api/v1/status', answers: 'servers', signal })).json as StatusJson
}
