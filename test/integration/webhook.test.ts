import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { JobFailed } from '../../src/core/rounds/job-failed.ts'
import { call } from '../../src/hook/http-call.ts'
import { verifyWebhook, type WebhookRequest } from '../../src/hook/webhook.ts'
import { redactor } from '../../src/secrets.ts'
import { resolveDestination } from '../../workers/lib/destination.ts'
import { type WebhookSettings, webhookHandler, webhookSettings } from '../../workers/webhook.ts'
import { failureOf, runHandler, workerContext } from '../support/worker-context.ts'

const OPEN: WebhookSettings = { allowPrivate: true }
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

function thrown(): never {
  throw new Error('thrown')
}

interface Seen {
  readonly request: IncomingMessage
  readonly body: string
}

/** A receiver on loopback: its URL, and what it was sent. */
async function receiver(answer: (response: ServerResponse) => void): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    seen.push({ request, body })
    answer(response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=hidden`, seen }
}

const status = (code: number, body = '') => receiver((response) => response.writeHead(code).end(body))
const post = (data: unknown, settings = OPEN, context = workerContext()) =>
  runHandler(webhookHandler(settings), data, context)

describe('the request', () => {
  it('carries the round, the fence, the data and a signature that its receiver verifies', async () => {
    const { url, seen } = await status(200, 'done')
    const secret = 'a secret'
    const result = await post({ url, body: { report: 'täglich' } }, { ...OPEN, secret })
    expect(result).toEqual({ status: 200, body: 'done' })
    const [{ request, body } = { request: undefined, body: '' }] = seen
    expect(request?.method).toBe('POST')
    expect(request?.url).toBe('/hook?key=hidden')
    expect(JSON.parse(body)).toEqual({
      system: 'reports',
      round: '2026-11-22',
      fence: 7,
      attempt: 1,
      data: { report: 'täglich' },
    })
    const header = (name: string) => String(request?.headers[name])
    expect([header('gone-system'), header('gone-round'), header('gone-fence')]).toEqual([
      'reports',
      '2026-11-22',
      '7',
    ])
    expect(header('content-type')).toBe('application/json')
    // Version 1, as receivers of before check it.
    const v1 = createHmac('sha256', secret)
      .update(`${header('gone-timestamp')}.${body}`)
      .digest('hex')
    expect(header('gone-signature')).toBe(`v1=${v1}`)
  })

  describe('signed with version 2', () => {
    const secret = 'a secret'
    const nowS = Date.now() / 1_000
    let sent: WebhookRequest

    beforeAll(async () => {
      const { url, seen } = await status(200)
      await post({ url, body: { a: 1 } }, { ...OPEN, secret })
      const [{ request, body } = { request: undefined, body: '' }] = seen
      const { method = '', url: path = '', headers = {} } = request ?? {}
      sent = { secret, method, host: new URL(url).host, path, headers, body }
    })

    it('is taken as it was sent, by its secret', () => {
      expect(verifyWebhook(sent, nowS)).toBe(true)
      expect(verifyWebhook({ ...sent, body: Buffer.from(String(sent.body)) })).toBe(true)
      expect(verifyWebhook({ ...sent, headers: new Headers(sent.headers as Record<string, string>) })).toBe(
        true,
      )
      expect(verifyWebhook({ ...sent, secret: ['old', secret] })).toBe(true)
    })

    it.each<[string, (request: WebhookRequest) => WebhookRequest]>([
      ['secret', (request) => ({ ...request, secret: 'another' })],
      ['no secret', (request) => ({ ...request, secret: '' })],
      ['no secrets', (request) => ({ ...request, secret: [] })],
      ['method', (request) => ({ ...request, method: 'PUT' })],
      ['host', (request) => ({ ...request, host: 'other.example' })],
      ['path', (request) => ({ ...request, path: '/other?key=hidden' })],
      ['query', (request) => ({ ...request, path: '/hook' })],
      ['body', (request) => ({ ...request, body: `${request.body} ` })],
      ...['gone-timestamp', 'gone-system', 'gone-round', 'gone-fence', 'gone-signature-2'].flatMap(
        (name): [string, (request: WebhookRequest) => WebhookRequest][] => [
          [`${name} of another`, (request) => ({ ...request, headers: { ...request.headers, [name]: '8' } })],
          [`no ${name}`, (request) => ({ ...request, headers: { ...request.headers, [name]: undefined } })],
        ],
      ),
    ])('is refused with another %s', (_, change) => {
      expect(verifyWebhook(change(sent), nowS)).toBe(false)
    })

    it('is refused five minutes later, and before', () => {
      expect(verifyWebhook(sent, nowS + 310)).toBe(false)
      expect(verifyWebhook(sent, nowS - 310)).toBe(false)
      expect(verifyWebhook(sent, Number.NaN)).toBe(false)
    })

    it.each([undefined, null, 1, '', {}, [], { headers: null }, { headers: { get: thrown } }])(
      'does not throw at %j',
      (value) => {
        expect(verifyWebhook(value as unknown as WebhookRequest)).toBe(false)
        expect(
          verifyWebhook({ ...sent, ...(value as object), headers: value } as unknown as WebhookRequest),
        ).toBe(false)
        expect(verifyWebhook({ ...sent, body: value as string, secret: value as string })).toBe(false)
      },
    )
  })

  it('is signed with the secret of its receiver, which no other receiver has', async () => {
    const { url, seen } = await status(200)
    const settings = webhookSettings({
      GONE_WEBHOOK_SECRET: 'of all others',
      GONE_WEBHOOK_SECRETS: '*.example.org=c, 127.0.0.1 = own=1',
      GONE_WEBHOOK_ALLOW_PRIVATE: 'true',
    })
    await post({ url }, settings)
    await post({ url: url.replace('127.0.0.1', 'localhost') }, settings)
    const takenWith = (secret: string, index: number, host: string) => {
      const { request, body } = seen[index] as Seen
      const { method = '', url: path = '', headers } = request
      return verifyWebhook({ secret, method, host, path, headers, body })
    }
    const port = new URL(url).port
    expect(takenWith('own=1', 0, `127.0.0.1:${port}`)).toBe(true)
    expect(takenWith('of all others', 0, `127.0.0.1:${port}`)).toBe(false)
    expect(takenWith('of all others', 1, `localhost:${port}`)).toBe(true)
    expect(() => webhookSettings({ GONE_WEBHOOK_SECRETS: 'hidden' })).toThrow(
      /^GONE_WEBHOOK_SECRETS: [^\n]*got "\*\*\*"$/,
    )
    expect(() => webhookSettings({ GONE_WEBHOOK_SECRETS: 'a.example:1=hidden' })).toThrow(
      /got "a\.example:1"$/,
    )
  })

  it('is not signed without a secret', async () => {
    const { url, seen } = await status(204)
    expect(await post({ url })).toEqual({ status: 204, body: '' })
    expect(seen[0]?.request.headers['gone-signature']).toBeUndefined()
  })

  it('leaves no secret of a receiver in a log', () => {
    const hide = redactor({ GONE_WEBHOOK_SECRETS: 'a.example=first-secret,*.b.example = second-secret' })
    expect(hide('first-secret of a.example, second-secret')).toBe('*** of a.example, ***')
  })

  it('has its own method and headers, and a name that is not visible ASCII percent-encoded', async () => {
    const { url, seen } = await status(200)
    const data = {
      url,
      method: 'DELETE',
      body: 1,
      headers: { Authorization: 'Bearer x', 'Content-Type': 'a/b' },
    }
    await post(data, OPEN, workerContext({ system: 'a%20b', round: 'Tag-ü' }))
    const request = seen[0]?.request
    expect(request?.method).toBe('DELETE')
    expect(request?.headers).toMatchObject({
      'gone-system': 'a%2520b',
      authorization: 'Bearer x',
      'content-type': 'a/b',
      'gone-round': 'Tag-%C3%BC',
    })
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ system: 'a%20b', round: 'Tag-ü', data: 1 })
  })

  it('has no body as a GET', async () => {
    const { url, seen } = await status(200)
    await post({ url, method: 'GET' })
    expect(seen[0]?.body).toBe('')
    expect(seen[0]?.request.headers['content-type']).toBeUndefined()
  })
})

describe('the answer', () => {
  it.each([400, 401, 404, 410, 422])('%i fails the round for good', async (code) => {
    const { url, seen } = await status(code, 'why')
    const error = await failureOf(post({ url }))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toBe(`POST ${new URL(url).origin}: answered ${code}: why`)
    expect(seen).toHaveLength(1)
  })

  it.each([408, 425, 429, 500, 502, 503])('%i asks for another attempt', async (code) => {
    const error = await failureOf(post({ url: (await status(code, 'later')).url }))
    expect(error).not.toBeInstanceOf(JobFailed)
    expect(error.message).toContain(`answered ${code}: later`)
    expect(error.message).not.toContain('hidden')
  })

  it.each([301, 302, 303, 307, 308])('%i is not followed and fails the round for good', async (code) => {
    const target = await status(200)
    const { url } = await receiver((response) => response.writeHead(code, { location: target.url }).end())
    const error = await failureOf(post({ url }))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toContain(`answered ${code}, and redirects are not followed`)
    expect(target.seen).toEqual([])
  })

  it('is kept up to its last KiB', async () => {
    const { url } = await status(200, `${'a'.repeat(5_000)}${'ü'.repeat(1_000)}!`)
    const { body } = await post({ url })
    expect(body).toBe(`${'ü'.repeat(511)}!`)
  })

  it('ends where it would not', async () => {
    const { url } = await receiver((response) => {
      const write = () => {
        while (!response.destroyed && response.write('x'.repeat(1_000)));
      }
      response.on('drain', write)
      write()
    })
    expect(await post({ url })).toEqual({ status: 200, body: 'x'.repeat(1_024) })
  })

  it('that does not come in time asks for another attempt', async () => {
    const silent = await receiver(() => undefined)
    const error = await failureOf(post({ url: silent.url, timeout: '50ms' }))
    expect(error).not.toBeInstanceOf(JobFailed)
    expect(error.message).toContain('no full answer within 50 ms')
    const slow = await receiver((response) => response.writeHead(200).write('and then'))
    expect((await failureOf(post({ url: slow.url, timeout: '200ms' }))).message).toContain('no full answer')
  })

  it('is not waited for once the attempt is over', async () => {
    const attempt = new AbortController()
    const reason = new Error('the gate was lost')
    const { url } = await receiver(() => attempt.abort(reason))
    expect(await failureOf(post({ url }, OPEN, workerContext({ signal: attempt.signal })))).toBe(reason)
    expect(await failureOf(post({ url }, OPEN, workerContext({ signal: attempt.signal })))).toBe(reason)
  })

  it('that is missing asks for another attempt', async () => {
    const closing = await receiver((response) => response.destroy())
    const unknown = 'http://no-such-host.invalid/'
    for (const url of [closing.url, 'http://127.0.0.1:1/', unknown]) {
      const error = await failureOf(post({ url }))
      expect(error).not.toBeInstanceOf(JobFailed)
      expect(error.message).toMatch(/: .*(socket hang up|ECONNREFUSED|ENOTFOUND|EAI_AGAIN)/)
    }
  })
})

describe('the destination', () => {
  const REFUSED = [
    'http://127.0.0.1/',
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[64:ff9b::a00:1]/',
    'http://[fd00:ec2::254]/',
    'http://0.0.0.0/',
    'http://0/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://１２７.0.0.1/',
    'https://localhost/',
  ]

  it.each(REFUSED)('%s is refused for good', async (url) => {
    const error = await failureOf(post({ url }, { allowPrivate: false }))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toMatch(/^data\.url: .* is not a public address/)
  })

  it('is refused although it is on the allow-list', async () => {
    const { url, seen } = await status(200)
    const error = await failureOf(post({ url }, { allowPrivate: false, hosts: ['127.0.0.1'] }))
    expect(error.message).toContain('not a public address')
    expect(seen).toEqual([])
  })

  it('must be on the allow-list, if there is one', async () => {
    const { url, seen } = await status(200)
    const hosts = ['api.example.com', '*.example.org']
    const error = await failureOf(post({ url }, { ...OPEN, hosts }))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toBe('data.url: the host 127.0.0.1 is not one of GONE_WEBHOOK_ALLOW')
    expect(seen).toEqual([])
    expect(await post({ url }, { ...OPEN, hosts: ['127.0.0.1'] })).toMatchObject({ status: 200 })
    for (const host of ['example.org', 'xexample.org', 'api.example.com.evil.example', 'x.api.example.com']) {
      const refused = await failureOf(resolveDestination(new URL(`http://${host}/`), { ...OPEN, hosts }))
      expect(refused.message).toContain('is not one of')
    }
  })

  it('may be below a host of the allow-list', async () => {
    const url = new URL('http://a.b.localhost/')
    const trouble = await resolveDestination(url, { ...OPEN, hosts: ['*.localhost'] }).then(
      () => '',
      (error: Error) => error.message,
    )
    // Whether the name resolves is the machine's affair.
    expect(trouble).not.toContain('GONE_WEBHOOK_ALLOW')
  })

  it('is the address that was checked, whatever its name resolves to by then', async () => {
    const { url, seen } = await status(200)
    const { port } = new URL(url)
    const { signal } = new AbortController()
    const answer = await call({
      url: new URL(`http://no-such-host.invalid:${port}/`),
      method: 'GET',
      headers: {},
      body: '',
      addresses: [{ address: '127.0.0.1', family: 4 }],
      signal,
    })
    expect(answer.status).toBe(200)
    expect(seen[0]?.request.headers.host).toBe(`no-such-host.invalid:${port}`)
  })
})

describe('a job that cannot be understood', () => {
  const url = 'http://127.0.0.1:1/'
  const BAD: readonly [unknown, string][] = [
    [null, 'data: expected an object with url'],
    ['x', 'data: expected an object with url'],
    [[], 'data: expected an object with url, method, body, headers, timeout, got a list'],
    [{}, 'data.url: expected an absolute URL'],
    [{ url: 5 }, 'data.url: expected a text, got a number'],
    [{ url: '/hook' }, 'data.url: expected an absolute URL'],
    [{ url: 'ftp://example.com/' }, 'data.url: expected an absolute URL with http or https'],
    [{ url: 'file:///etc/passwd' }, 'data.url: expected an absolute URL with http or https'],
    [{ url: 'http://me:pass@example.com/' }, 'data.url: must not carry a user name or password'],
    [{ url, methd: 'PUT' }, 'data.methd: no such member'],
    [{ url, method: 'CONNECT' }, 'data.method: expected one of POST'],
    [{ url, method: 'GET', body: {} }, 'data.body: expected none'],
    [{ url, headers: [] }, 'data.headers: expected an object of texts, got a list'],
    [{ url, headers: { 'x-a': 1 } }, 'data.headers.x-a: expected a text, got a number'],
    [{ url, headers: { Host: 'other' } }, 'data.headers.Host: is set by the worker'],
    [{ url, headers: { 'Gone-Fence': '9' } }, 'data.headers.Gone-Fence: is set by the worker'],
    [{ url, headers: { 'x-a': 'b\r\nx-c: d' } }, 'data.headers.x-a: is not a valid HTTP header'],
    [{ url, headers: { 'x a': 'b' } }, 'data.headers.x a: is not a valid HTTP header'],
    [{ url, headers: { 'x-a': 'b', 'X-A': 'c' } }, 'data.headers.X-A: is there twice'],
    [{ url, timeout: 5 }, 'data.timeout: expected a duration like "30s", up to 60 min, got a number'],
    [{ url, timeout: '2d' }, 'data.timeout: expected a duration'],
  ]

  it.each(BAD)('fails for good, and its member is named: %j', async (data, message) => {
    const error = await failureOf(post(data))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('pass@')
  })
})

describe('the settings', () => {
  it('are those of the environment', () => {
    expect(webhookSettings({})).toEqual({ allowPrivate: false })
    expect(
      webhookSettings({
        GONE_WEBHOOK_SECRET: 's',
        GONE_WEBHOOK_ALLOW: 'a.example, *.b.example',
        GONE_WEBHOOK_ALLOW_PRIVATE: 'true',
      }),
    ).toEqual({ secret: 's', hosts: ['a.example', '*.b.example'], allowPrivate: true })
  })

  it('that are wrong say so in one line', () => {
    expect(() => webhookSettings({ GONE_WEBHOOK_ALLOW: 'https://a.example' })).toThrow(
      /^GONE_WEBHOOK_ALLOW: expected/,
    )
    expect(() => webhookSettings({ GONE_WEBHOOK_ALLOW_PRIVATE: 'yes' })).toThrow(
      'GONE_WEBHOOK_ALLOW_PRIVATE: expected one of true, false, got "yes"',
    )
  })
})
