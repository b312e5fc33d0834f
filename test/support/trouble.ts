import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * It reaches the server; it does, and the answer is lost; the connection is cut; it is never answered, answered without an end, or not in
 * HTTP; or it is answered so in the server's place.
 */
export type Fate =
  | 'pass'
  | 'lose'
  | 'cut'
  | 'hold'
  | 'trickle'
  | 'garble'
  | { readonly status: number; readonly headers?: OutgoingHttpHeaders; readonly body?: string }

export interface Call {
  /** Such as `elect`. */
  readonly verb: string
  /** How many of this verb came, this one counted. */
  readonly count: number
}

export interface Trouble {
  readonly url: string
  readonly asked: Record<string, number>
  readonly tokens: Set<string>
}

/** A proxy before the server, where each call meets its fate. */
export async function startTrouble(
  serverUrl: string,
  fateOf: (call: Call) => Fate | Promise<Fate>,
): Promise<Trouble> {
  const asked: Record<string, number> = {}
  const tokens = new Set<string>()
  const proxy = createServer(async (incoming, outgoing) => {
    const verb = incoming.url?.split('/')[3] ?? ''
    tokens.add(String(incoming.headers['gone-candidate']))
    const count = (asked[verb] ?? 0) + 1
    asked[verb] = count
    const fate = await fateOf({ verb, count })
    if (fate === 'pass' || fate === 'lose') return passOn(serverUrl, incoming, outgoing, fate === 'lose')
    incoming.resume()
    if (fate === 'hold') return
    if (fate === 'cut') return void incoming.socket.destroy()
    if (fate === 'trickle') return trickle(outgoing)
    if (fate === 'garble') return void incoming.socket.end('what?\r\n\r\n')
    outgoing.writeHead(fate.status, fate.headers).end(fate.body)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked, tokens }
}

function trickle(outgoing: ServerResponse): void {
  outgoing.writeHead(200, { 'content-type': 'application/json' })
  const dripping = setInterval(() => outgoing.write(' '), 100)
  outgoing.once('close', () => clearInterval(dripping))
}

function passOn(
  serverUrl: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  isLost: boolean,
): void {
  const { method, headers, url } = incoming
  const passed = request(`${serverUrl}${url}`, { method, headers }, (answer) => {
    if (isLost) {
      answer.resume()
      incoming.socket.destroy()
      return
    }
    outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
    answer.pipe(outgoing)
  })
  passed.on('error', () => outgoing.destroy())
  incoming.pipe(passed)
}
