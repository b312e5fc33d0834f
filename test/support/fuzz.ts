import { connect } from 'node:net'
import fc from 'fast-check'
import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts'
import { anyIdentifier } from './identifiers.ts'
import { bodyMembersOf, type OpenApi, type Operation, readOpenApi } from './openapi.ts'
import { type Answer, type Call, send } from './requests.ts'

export interface Target {
  readonly url: string
  /** Of keys that may do everything, nearly nothing, a little of much, and nothing at all. */
  readonly keys: readonly string[]
}

export interface FuzzOptions {
  readonly seed: number
  readonly ms: number
  /** Of an earlier failure: repeats it alone. */
  readonly path?: string
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'QUERY', 'PROPFIND']
const PAGES = [
  '/',
  '/board',
  '/board/api/queues',
  '/board/queue/rounds',
  '/docs',
  '/docs/json',
  '/login',
  '/logout',
  '/api',
  '/.env',
]
const TYPES = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json; charset=utf-16',
  'a',
  '',
]
const RAW_MS = 250

/**
 * Sends the server what nobody should send, for as long as asked: nothing may be answered with a defect or an undocumented
 * status, and nothing may end the server.
 *
 * @returns how many requests were sent
 * @throws the smallest request found that does, with the seed and path that repeat it
 */
export async function fuzz(target: Target, { seed, ms, path }: FuzzOptions): Promise<number> {
  const api = await readOpenApi(target.url, target.keys[0])
  let sent = 0
  const property = fc.asyncProperty(anyCall(api, target), fc.boolean(), async (call, isOdd) => {
    sent += 1
    expectDocumented(api, call, await send(target.url, call))
    if (isOdd && sent % 50 === 0) await expectAlive(target)
  })
  const bounds = { interruptAfterTimeLimit: ms, markInterruptAsFailure: false, skipEqualValues: false }
  await fc.assert(property, { seed, numRuns: 2_000_000, ...bounds, ...(path !== undefined && { path }) })
  if (path !== undefined) return sent
  const streams = fc.asyncProperty(anyStream, async (bytes) => {
    sent += 1
    const status = await sendRaw(target.url, bytes)
    if (status >= 500) throw new Error(`answered ${status} to ${JSON.stringify(bytes.toString('latin1'))}`)
  })
  await fc.assert(streams, { seed, numRuns: Math.max(20, Math.floor(ms / 2_000)), ...bounds })
  await expectAlive(target)
  return sent
}

function anyCall(api: OpenApi, target: Target): fc.Arbitrary<Call> {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  const endpoint = fc.constantFrom(...operations).chain(({ path, method, operation }) =>
    fc.record({
      method: mostly(fc.constant(method), fc.constantFrom(...METHODS)),
      path: fc
        .tuple(anyPath(path), anyQuery(operation))
        .map(([filled, query]) => `${filled}${query}`.replace(/[^\x21-\x7e]/gu, encodeURIComponent)),
      headers: anyHeaders(target),
      body: fc.option(anyBody(operation), { nil: undefined }),
    }),
  )
  const page = fc.record({
    method: fc.constantFrom(...METHODS),
    path: fc
      .tuple(fc.constantFrom(...PAGES), junk)
      .map(([path, more]) => `${path}${encodeURI(more.toWellFormed())}`),
    headers: anyHeaders(target),
    body: fc.option(fc.string().map(String), { nil: undefined }),
  })
  return fc
    .oneof({ weight: 9, arbitrary: endpoint }, { weight: 1, arbitrary: page })
    .map(({ body, headers, ...call }) => ({
      ...call,
      // Of a GET Node's client would send the body without saying that there is one.
      ...(body === undefined || call.method === 'HEAD'
        ? { headers }
        : { headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) }, body }),
    }))
}

function mostly<T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: odd })
}

const junk = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('%', '0', '2', 'F', '.', '/', '\\', '~', '#', '?', '&', '=', ';', '\0'),
    maxLength: 12,
  }),
  fc.constantFrom(
    '',
    '..',
    '%2e%2e%2f',
    '%00',
    '%ff',
    '%',
    '__proto__',
    'constructor',
    '*',
    '-1',
    'null',
    '[]',
    '9'.repeat(400),
  ),
)
const name = mostly(
  fc.oneof(fc.constantFrom('a', 'b', 'c', 'd'), anyIdentifier).map(encodeURIComponent),
  junk.map((text) => text.replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char.toWellFormed()))),
)

function anyPath(template: string): fc.Arbitrary<string> {
  const parts = template.split(/\{\w+\}/)
  return fc
    .array(name, { minLength: parts.length - 1, maxLength: parts.length - 1 })
    .map((names) => parts.map((part, index) => part + (names[index] ?? '')).join(''))
}

/** What parameters take, without waits that would keep us waiting. */
const value = fc.oneof(
  fc.constantFrom(
    '1s',
    '5s',
    '10ms',
    '0',
    '1',
    '2',
    '100',
    'a',
    'b',
    'led',
    'completed',
    '1m',
    '7d',
    '2026-11-22T08:00:00Z',
  ),
  junk,
)

function anyQuery({ operationId, parameters = [] }: Operation): fc.Arbitrary<string> {
  const names = parameters.filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name)
  const known = names.filter((parameter) => parameter !== 'wait')
  const waits = names.includes('wait') ? [fc.constantFrom('wait=1ms', 'wait=-1s', 'wait', 'wait=9h')] : []
  const pair = fc
    .tuple(mostly(fc.constantFrom(...(known.length > 0 ? known : ['x'])), junk), value)
    .map(([key, text]) => `${key}=${mostlyEncoded(text)}`)
    // A wait that came together by chance would only cost time.
    .filter((text) => !/^wait=\d+(s|m)$/.test(text))
  return (
    fc
      .array(fc.oneof(pair, ...waits), { maxLength: 3 })
      // A call waits unless it is told not to.
      .map((pairs) => (operationId === 'call' ? ['wait=1ms', ...pairs] : pairs))
      .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.join('&')}`))
  )
}

function mostlyEncoded(text: string): string {
  return text.length % 5 === 4 ? text : encodeURIComponent(text.toWellFormed())
}

const headerText = fc
  .oneof(value, fc.string({ maxLength: 30 }))
  .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').trim())

function anyHeaders({ url, keys }: Target): fc.Arbitrary<Record<string, string | string[]>> {
  const authorization = mostly(
    fc.constantFrom(...keys.map((key) => `Bearer ${key}`)),
    fc.oneof(
      headerText,
      headerText.map((text) => `Bearer ${text}`),
    ),
  )
  const optional = {
    'gone-candidate': headerText,
    'gone-fence': headerText,
    accept: fc.oneof(fc.constantFrom('application/json', 'text/html', '*/*'), headerText),
    'content-type': mostly(fc.constant('application/json'), fc.oneof(fc.constantFrom(...TYPES), headerText)),
    origin: mostly(fc.constant(url), headerText),
    host: mostly(
      fc.constant(new URL(url).host),
      headerText.map((text) => text || 'x'),
    ),
    'sec-fetch-site': mostly(
      fc.constantFrom('same-origin', 'none'),
      fc.oneof(fc.constant('cross-site'), headerText),
    ),
    'x-forwarded-host': headerText,
    cookie: headerText.map((text) => `gone-session=${text}`),
    'x-forwarded-for': headerText,
    'accept-encoding': headerText,
    range: headerText,
    'if-none-match': headerText,
    'x-http-method-override': fc.constantFrom('DELETE', 'PUT'),
  }
  return fc
    .record({ authorization, ...optional }, { requiredKeys: ['authorization'] })
    .map((headers) => headers as Record<string, string | string[]>)
}

function anyBody(operation: Operation): fc.Arbitrary<string | Buffer> {
  const known = Object.entries(bodyMembersOf(operation)).map(
    ([member, { examples = [] }]) => [member, examples[0]] as const,
  )
  const examples = known.length > 0 ? known : [['x', undefined] as const]
  const json = fc.oneof(
    fc.jsonValue({ maxDepth: 6 }),
    fc.constantFrom<unknown>('1s', '0', '', -1, 1e308, null, {}, []),
  )
  const members = fc
    .subarray(examples.map(([member]) => member))
    .chain((chosen) =>
      fc.record(
        Object.fromEntries(
          chosen.map((member) => {
            const example = examples.find(([name]) => name === member)?.[1]
            return [member, example === undefined ? json : fc.oneof(fc.constant(example), json)]
          }),
        ),
      ),
    )
    .map((body) => JSON.stringify(body))
  const odd = fc.oneof(
    fc.json({ maxDepth: 8 }),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.integer({ min: 1, max: 5_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
    fc.constantFrom(
      '{"__proto__":{"a":1}}',
      '{"constructor":{"prototype":{}}}',
      ' '.repeat(20_000),
      '{}{}',
      '\ufeff{}',
    ),
  )
  return mostly<string | Buffer>(members, odd)
}

/** HTTP that is nearly right. */
const anyStream = fc
  .tuple(
    fc.constantFrom(
      'GET /api/v1/elect/a/b HTTP/1.1\r\nHost: gone\r\nConnection: close\r\n\r\n',
      'POST /api/v1/complete/a/b HTTP/1.1\r\nHost: gone\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
      'POST /api/v1/submit/a/b HTTP/1.1\r\nHost: gone\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    ),
    fc.array(
      fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 }), fc.constantFrom('change', 'insert', 'cut')),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  )
  .map(([text, changes]) => {
    const bytes = [...Buffer.from(text, 'latin1')]
    for (const [place, byte, how] of changes) {
      const at = place % Math.max(bytes.length, 1)
      if (how === 'change') bytes[at] = byte
      else if (how === 'insert') bytes.splice(at, 0, byte)
      else bytes.splice(at, 1 + (byte % 8))
    }
    return Buffer.from(bytes)
  })

function sendRaw(url: string, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let text = ''
    const end = () => {
      socket.destroy()
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0))
    }
    socket.setTimeout(RAW_MS, end)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    socket.once('end', end)
    socket.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNREFUSED' ? reject(new Error('the server is gone')) : end(),
    )
  })
}

/** What any request may be answered, whatever the endpoint says. */
const ALWAYS = [302, 303, 400, 401, 403, 404, 405, 408, 413, 414, 415, 429, 431]

function expectDocumented(
  api: OpenApi,
  { method = 'GET', path }: Call,
  { status, text, headers }: Answer,
): void {
  const shown = `${method} ${path} was answered ${status}: ${text.slice(0, 500)}`
  const isProblem = headers['content-type']?.startsWith('application/problem+json') ?? false
  if (isProblem) {
    const { code } = JSON.parse(text || '{}') as { code?: ErrorCode }
    if (method !== 'HEAD' && (code === undefined || ERROR_CODES[code]?.status !== status))
      throw new Error(shown)
    // Redis is well: there is no other reason for a 5xx than that too many wait, or nobody is there who could answer.
    if (status >= 500 && code !== 'TOO_MANY_STANDBYS' && code !== 'NO_WORKER') throw new Error(shown)
  } else if (status >= 500) throw new Error(shown)
  const operation = operationOf(api, method, path)
  if (operation === undefined || ALWAYS.includes(status) || String(status) in operation.responses) return
  throw new Error(`not documented: ${shown}`)
}

function operationOf(api: OpenApi, method: string, path: string): Operation | undefined {
  const [plain = ''] = path.split('?')
  for (const [template, methods] of Object.entries(api.paths)) {
    const pattern = new RegExp(`^${template.replace(/[.+]/g, '\\$&').replace(/\{\w+\}/g, '[^/]*')}$`)
    if (pattern.test(plain)) return methods[method.toLowerCase()]
  }
  return undefined
}

async function expectAlive({ url }: Target): Promise<void> {
  const { status } = await send(url, { path: '/healthz' })
  if (status !== 200) throw new Error(`the server is not well: /healthz answers ${status}`)
}
