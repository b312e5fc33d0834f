import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { MAX_REPLY_BYTES, ReplyTooLarge } from '../client/reply-text.ts'
import type { Fetch } from '../client/transport.ts'

/**
 * What the SDK needs of `fetch`, for commands that ask once and end: loading Node's own takes 150 ms, more than all the
 * rest of such a command. Follows no redirects.
 */
export const quickFetch: Fetch = (url, { method, headers, body, signal }) =>
  new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? requestHttps : requestHttp
    const call = request(url, { method, headers, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        // Characters, of which there are no more than bytes.
        if (text.length > MAX_REPLY_BYTES) response.destroy(new ReplyTooLarge())
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: { get: (name) => oneOf(response.headers[name]) },
          text: async () => text,
        }),
      )
    })
    call.on('error', reject)
    call.end(body)
  })

function oneOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null
}
