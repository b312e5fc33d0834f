import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { vi } from 'vitest'
import type { AlertNewsJson } from '../../src/core/alerts/alert-wire.ts'
import { verifyWebhook } from '../../src/hook/webhook.ts'

export interface Delivery {
  readonly id: string
  readonly news: AlertNewsJson
  readonly isSigned: boolean
  readonly status: number
}

export interface AlertReceiver {
  readonly url: string
  readonly secret: string
  /** All requests, refused ones too. */
  readonly deliveries: Delivery[]
  /** Waits for the news that a delivery was answered 200 with. */
  told(event: AlertNewsJson['event'], system: string, withinMs?: number): Promise<AlertNewsJson>
  stop(): Promise<void>
}

/** A receiver of alerts on loopback that checks each signature. `answer` gives the status of the n-th request, from 1. */
export async function startAlertReceiver(
  answer: (n: number) => number | undefined = () => 200,
): Promise<AlertReceiver> {
  const secret = 'a secret of the test'
  const deliveries: Delivery[] = []
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const header = (name: string) => String(request.headers[name])
    const { method = '', url: path = '', headers } = request
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const status = answer(deliveries.length + 1)
    deliveries.push({
      id: header('gone-delivery'),
      news: JSON.parse(body.toString()) as AlertNewsJson,
      isSigned: verifyWebhook({ secret, method, host, path, headers, body }),
      status: status ?? 0,
    })
    if (status !== undefined) response.writeHead(status).end('as you wish')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=hidden`,
    secret,
    deliveries,
    async told(event, system, withinMs = 20_000) {
      const find = () =>
        deliveries.find(
          ({ news, status }) => status === 200 && news.event === event && news.alert.system === system,
        )
      const found = await vi.waitUntil(find, { timeout: withinMs, interval: 20 })
      return found.news
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
