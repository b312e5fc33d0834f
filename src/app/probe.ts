import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GoneError } from '../errors.ts'
import type { Supervisor } from '../service/fleet/supervisor.ts'
import type { Closing } from './closing.ts'

const HOST = '127.0.0.1'

/**
 * Answers health checks of a supervisor: `/healthz` as long as it lives, `/readyz` with 200 while at least one instance works.
 *
 * @returns its address
 * @throws GoneError `CONFIG` where the port is taken
 */
export async function openProbe(port: number, supervisor: Supervisor, closing: Closing): Promise<string> {
  const server = createServer((request, reply) => {
    const { working, places } = supervisor
    const isKnown = request.url === '/healthz' || request.url === '/readyz'
    const status = !isKnown ? 404 : request.url === '/healthz' || working > 0 ? 200 : 503
    reply.writeHead(status, { 'content-type': 'application/json' })
    reply.end(JSON.stringify({ instances: places.length, working }))
  })
  server.listen(port, HOST)
  await once(server, 'listening').catch((cause: unknown) => {
    throw new GoneError('CONFIG', `--probe: cannot listen on ${HOST}:${port}: ${String(cause)}`, { cause })
  })
  closing.add('clients', async () => void server.close())
  return `http://${HOST}:${(server.address() as AddressInfo).port}`
}
