import { METHODS } from 'node:http'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { roundKey } from '../../src/core/rounds/round.ts'
import type { LedRoundJson } from '../../src/core/rounds/round-wire.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { type Answer, type Call, expectProblem, send, sendBytes } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const ROUND_PATHS = [
  'elect',
  'elected',
  'complete',
  'completed',
  'fail',
  'renew',
  'submit',
  'rounds',
] as const
const BOTH_METHODS = ['elect', 'elected', 'complete', 'completed']
const JSON_TYPE = { 'content-type': 'application/json' }

let server: TestServer
let redis: Redis
let queue: Queue
let keysBefore: string[]

beforeAll(async () => {
  server = await startTestServer({ env: { GONE_ALLOWED_HOSTS: 'gone' } })
  redis = new Redis(server.redis.port, { maxRetriesPerRequest: null })
  queue = new Queue('rounds', { prefix: '{gone}', connection: redis })
  await queue.waitUntilReady()
  keysBefore = await keys()
})

afterAll(async () => {
  await queue.close()
  redis.disconnect()
  await server.stop()
})

/** Everything in Redis but what BullMQ keeps of a queue without jobs, and the mark of the store. */
async function keys(): Promise<string[]> {
  const found = await redis.keys('*')
  expect(await redis.dbsize()).toBe(found.length)
  return found
    .filter(
      (key) =>
        !/^\{gone\}:(rounds|alarms):(meta|stalled-check|marker)$|^gone:\{~store\}$|^gone:\{~(fleet|servers)\}:/.test(
          key,
        ),
    )
    .sort()
}

/** The calls of every method and endpoint that take the two names. */
function callsWith(system: string, round: string): Call[] {
  return ROUND_PATHS.flatMap((name) => {
    const path = `/api/v1/${name}/${system}/${round}`
    const methods = BOTH_METHODS.includes(name) ? ['GET', 'POST'] : [name === 'rounds' ? 'GET' : 'POST']
    return methods.map((method) => ({ method, path }))
  })
}

async function expectRefused(call: Call, code: ErrorCode, detail = /./): Promise<void> {
  const refused = `${call.method ?? 'GET'} ${call.path.slice(0, 200)}`
  const answer = await send(server.url, call)
  expect(expectProblem(answer, code), refused).toMatch(detail)
}

describe('what is refused', () => {
  const invisible = /control, format or separator character \(U\+/
  const names: [string, string, ErrorCode, RegExp][] = [
    ['an empty name', '', 'INVALID_IDENTIFIER', /1 to 128 bytes, got 0/],
    ['129 bytes', 'a'.repeat(129), 'INVALID_IDENTIFIER', /1 to 128 bytes, got 129/],
    ['65 characters of 130 bytes', '%C3%A9'.repeat(65), 'INVALID_IDENTIFIER', /1 to 128 bytes, got 130/],
    ['33 emoji of 132 bytes', '%F0%9F%98%80'.repeat(33), 'INVALID_IDENTIFIER', /got 132/],
    ['3,000 bytes', 'a'.repeat(3_000), 'INVALID_IDENTIFIER', /got 3000/],
    ['NUL', 'a%00b', 'INVALID_IDENTIFIER', /U\+0000/],
    ['a line break', 'a%0d%0ab', 'INVALID_IDENTIFIER', /U\+000D/],
    ['a tab', '%09', 'INVALID_IDENTIFIER', invisible],
    ['escape', '%1B%5B31m', 'INVALID_IDENTIFIER', invisible],
    ['delete', 'a%7F', 'INVALID_IDENTIFIER', invisible],
    ['a C1 control', '%C2%85', 'INVALID_IDENTIFIER', invisible],
    ['a zero-width space', 'a%E2%80%8Bb', 'INVALID_IDENTIFIER', /U\+200B/],
    ['a zero-width joiner', '%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB', 'INVALID_IDENTIFIER', /U\+200D/],
    ['a right-to-left override', '%E2%80%AEa', 'INVALID_IDENTIFIER', /U\+202E/],
    ['a byte order mark', '%EF%BB%BFa', 'INVALID_IDENTIFIER', /U\+FEFF/],
    ['a soft hyphen', 'a%C2%ADb', 'INVALID_IDENTIFIER', /U\+00AD/],
    ['a tag character', 'a%F3%A0%81%81', 'INVALID_IDENTIFIER', /U\+E0041/],
    ['a space', 'a%20b', 'INVALID_IDENTIFIER', /U\+0020/],
    ['a no-break space', 'a%C2%A0b', 'INVALID_IDENTIFIER', /U\+00A0/],
    ['a line separator', 'a%E2%80%A8b', 'INVALID_IDENTIFIER', /U\+2028/],
    ['an ideographic space', '%E3%80%80', 'INVALID_IDENTIFIER', /U\+3000/],
    ['a slash', 'a%2Fb', 'INVALID_IDENTIFIER', /must not contain "\/"/],
    ['nothing but a slash', '%2f', 'INVALID_IDENTIFIER', /must not contain "\/"/],
    ['a dot', '.', 'INVALID_IDENTIFIER', /stands for a folder/],
    ['two dots', '..', 'INVALID_IDENTIFIER', /stands for a folder/],
    ['a dot, encoded', '%2E', 'INVALID_IDENTIFIER', /stands for a folder/],
    ['two dots, encoded', '%2e%2E', 'INVALID_IDENTIFIER', /stands for a folder/],
    ['text that is not NFC', 'e%CC%81', 'INVALID_IDENTIFIER', /NFC/],
    ['a compatibility singleton', '%E2%84%AB', 'INVALID_IDENTIFIER', /NFC/],
    ['a byte that is not UTF-8', '%FF', 'INVALID_URL', /./],
    ['overlong UTF-8', '%C0%AF', 'INVALID_URL', /./],
    ['overlong UTF-8 of three bytes', '%E0%80%AF', 'INVALID_URL', /./],
    ['a lone surrogate', '%ED%A0%80', 'INVALID_URL', /./],
    ['a pair of surrogates', '%ED%A0%BD%ED%B8%80', 'INVALID_URL', /./],
    ['truncated UTF-8', '%E2%82', 'INVALID_URL', /./],
    ['beyond Unicode', '%F4%90%80%80', 'INVALID_URL', /./],
    ['a bare percent sign', '%', 'INVALID_URL', /./],
    ['half an escape', 'a%2', 'INVALID_URL', /./],
    ['an escape that is not hexadecimal', '%zz', 'INVALID_URL', /./],
    ['a bare number sign', 'a#b', 'INVALID_URL', /%23/],
  ]

  it.each(names)('as a name: %s', async (_, name, code, detail) => {
    for (const call of callsWith(name, 'round')) {
      const rule = code === 'INVALID_IDENTIFIER' ? new RegExp(`^system: .*${detail.source}`) : detail
      await expectRefused(call, code, rule)
    }
    for (const call of callsWith('system', name)) {
      const rule = code === 'INVALID_IDENTIFIER' ? new RegExp(`^round: .*${detail.source}`) : detail
      await expectRefused(call, code, rule)
    }
    if (name.includes('#')) return
    const listCode = code === 'INVALID_URL' ? 'INVALID_PARAMETER' : code
    await expectRefused({ path: `/api/v1/rounds?system=${name}` }, listCode, detail)
  })

  const queries: [string, string, string, RegExp][] = [
    ['an unknown parameter', 'elect', 'waiting=1s', /"waiting": no such query parameter.*takes: candidate/],
    ['another case', 'elect', 'Wait=1s', /no such query parameter/],
    ['__proto__', 'elect', '__proto__=x', /"__proto__": no such/],
    ['__proto__[x]', 'elect', '__proto__[wait]=1s', /no such/],
    ['constructor', 'elect', 'constructor=x', /"constructor": no such/],
    ['a parameter of another endpoint', 'elected', 'wait=1s', /takes: none/],
    ['fence on elect', 'elect', 'fence=1', /no such/],
    ['lease on complete', 'complete', 'lease=1s', /no such/],
    ['result on complete', 'complete', 'result=1', /no such/],
    ['a parameter without a name', 'elect', '=1', /"": no such/],
    ['a duplicate', 'elect', 'wait=1s&wait=1s', /wait: given 2 times/],
    ['three of them', 'elect', 'lease=1s&lease=2s&lease=3s', /given 3 times/],
    ['what cannot be decoded', 'elect', 'candidate=%FF', /percent-encoded/],
    ['half an escape', 'elect', 'candidate=%2', /percent-encoded/],
    ['a name that cannot be decoded', 'elect', '%FF=1', /percent-encoded/],
    ['an empty wait', 'elect', 'wait', /wait: expected a duration.* got ""/],
    ['a wait without a unit', 'elect', 'wait=25', /got "25"/],
    ['a negative wait', 'elect', 'wait=-1s', /got "-1s"/],
    ['a fractional wait', 'elect', 'wait=1.5s', /got "1\.5s"/],
    ['a wait of another unit', 'elect', 'wait=1w', /got "1w"/],
    ['a wait with a space', 'elect', 'wait=1+s', /got "1 s"/],
    ['a long wait', 'elect', 'wait=61s', /from 0 ms to 1 min/],
    ['a wait in other digits', 'elect', 'wait=%D9%A1s', /expected a duration/],
    ['a long wait of the round', 'rounds', 'wait=1h', /from 0 ms to 1 min/],
    ['a short lease', 'elect', 'lease=999ms', /from 1 s to 1 d/],
    ['a lease of zero', 'elect', 'lease=0', /from 1 s/],
    ['a long lease', 'elect', 'lease=25h', /to 1 d/],
    ['a long lease to renew', 'renew', 'lease=2d', /to 1 d/],
    ['a huge lease', 'elect', `lease=${'9'.repeat(30)}s`, /expected a duration/],
    ['a short deadline', 'elect', 'deadline=1ms', /from 1 s to 7 d/],
    ['a long deadline', 'elect', 'deadline=8d', /to 7 d/],
    ['an empty candidate', 'elect', 'candidate=', /1 to 128 visible ASCII/],
    ['a long candidate', 'elect', `candidate=${'a'.repeat(129)}`, /visible ASCII/],
    ['a candidate with a space', 'elect', 'candidate=a+b', /visible ASCII/],
    ['a candidate with a comma', 'elect', 'candidate=a,b', /visible ASCII/],
    ['a candidate beyond ASCII', 'elect', 'candidate=%C3%A9', /visible ASCII/],
    ['a candidate with a line break', 'elect', 'candidate=a%0D%0Ab', /visible ASCII/],
    ['a fence of zero', 'complete', 'fence=0', /integer from 1/],
    ['a negative fence', 'complete', 'fence=-1', /integer from 1/],
    ['a fractional fence', 'complete', 'fence=1.0', /integer from 1/],
    ['a hexadecimal fence', 'complete', 'fence=0x1', /integer from 1/],
    ['a huge fence', 'complete', 'fence=9007199254740992', /integer from 1 to 9007199254740991/],
    ['an empty fence', 'renew', 'fence=', /integer from 1/],
    ['an empty reason', 'fail', 'reason=', /1 to 1000 characters/],
    ['a long reason', 'fail', `reason=${'a'.repeat(1_001)}`, /1 to 1000 characters/],
  ]

  it.each(queries)('in the query: %s', async (_, name, query, detail) => {
    for (const call of callsWith('system', 'round').filter(({ path }) => path.includes(`/${name}/`)))
      await expectRefused({ ...call, path: `${call.path}?${query}` }, 'INVALID_PARAMETER', detail)
  })

  const lists: [string, string, ErrorCode][] = [
    ['an unknown parameter', 'page=2', 'INVALID_PARAMETER'],
    ['two systems', 'system=a&system=b', 'INVALID_PARAMETER'],
    ['an unknown state', 'state=done', 'INVALID_PARAMETER'],
    ['a state in capitals', 'state=LED', 'INVALID_PARAMETER'],
    ['a limit of zero', 'limit=0', 'INVALID_PARAMETER'],
    ['a large limit', 'limit=1001', 'INVALID_PARAMETER'],
    ['a limit that is no number', 'limit=ten', 'INVALID_PARAMETER'],
    ['an empty cursor', 'cursor=', 'INVALID_PARAMETER'],
    ['a cursor of ours in no way', 'cursor=next', 'INVALID_PARAMETER'],
    ['a cursor without a system', `cursor=${base64url('1763800000000-0')}`, 'INVALID_PARAMETER'],
    ['a cursor that cannot be decoded', `cursor=${base64url('1763800000000-0 a%ZZ')}`, 'INVALID_PARAMETER'],
    ['a cursor of bad UTF-8', `cursor=${base64url('1763800000000-0 a%FF')}`, 'INVALID_PARAMETER'],
    ['a cursor of another time', `cursor=${base64url('Infinity-0 a')}`, 'INVALID_PARAMETER'],
    ['a long cursor', `cursor=${'A'.repeat(4_100)}`, 'URI_TOO_LONG'],
  ]

  it.each(lists)('in the query of the history: %s', async (_, query, code) => {
    await expectRefused({ path: `/api/v1/rounds?${query}` }, code)
  })

  it.each(['/healthz', '/readyz', '/metrics'])('a query on %s', async (path) => {
    await expectRefused({ path: `${path}?verbose` }, 'INVALID_PARAMETER', /takes: none/)
  })

  const headers: [string, string, Record<string, string | string[]>, string, RegExp][] = [
    ['an empty candidate', 'elect', { 'gone-candidate': '' }, '', /gone-candidate: expected/],
    ['a candidate with a space', 'elect', { 'gone-candidate': 'a b' }, '', /visible ASCII/],
    ['a candidate beyond ASCII', 'elect', { 'gone-candidate': 'caf\u00e9' }, '', /visible ASCII/],
    ['a long candidate', 'complete', { 'gone-candidate': 'a'.repeat(129) }, '', /visible ASCII/],
    ['two candidates', 'elect', { 'gone-candidate': ['a', 'b'] }, '', /without a comma/],
    ['the same candidate twice', 'renew', { 'gone-candidate': ['a', 'a'] }, '', /without a comma/],
    ['a candidate that the query contradicts', 'elect', { 'gone-candidate': 'a' }, '?candidate=b', /differ/],
    ['a fence that is no number', 'complete', { 'gone-fence': 'one' }, '', /gone-fence: expected an integer/],
    ['an empty fence', 'fail', { 'gone-fence': '' }, '', /gone-fence: expected an integer/],
    ['two fences', 'complete', { 'gone-fence': ['1', '2'] }, '', /gone-fence: expected an integer/],
    ['a fence that the query contradicts', 'renew', { 'gone-fence': '1' }, '?fence=2', /differ/],
  ]

  it.each(headers)('in the headers: %s', async (_, name, sent, query, detail) => {
    for (const call of callsWith('system', 'round').filter(({ path }) => path.includes(`/${name}/`)))
      await expectRefused({ ...call, path: call.path + query, headers: sent }, 'INVALID_PARAMETER', detail)
  })

  const bodies: [string, string, string | Buffer, ErrorCode][] = [
    ['half of it', 'complete', '{"result":', 'INVALID_BODY'],
    ['two of them', 'complete', '{}{}', 'INVALID_BODY'],
    ['a trailing comma', 'complete', '{"result":1,}', 'INVALID_BODY'],
    ['a comment', 'elect', '/* */ {}', 'INVALID_BODY'],
    ['NaN', 'complete', '{"result":NaN}', 'INVALID_BODY'],
    ['a byte order mark', 'complete', '\ufeff{"result":', 'INVALID_BODY'],
    ['bytes that are not UTF-8', 'complete', Buffer.from('{"result":"\xff"}', 'latin1'), 'INVALID_BODY'],
    ['UTF-16', 'complete', Buffer.from('{}', 'utf16le'), 'INVALID_BODY'],
    ['an array', 'complete', '[]', 'INVALID_BODY'],
    ['a text', 'complete', '"done"', 'INVALID_BODY'],
    ['a number', 'fail', '0', 'INVALID_BODY'],
    ['true', 'elect', 'true', 'INVALID_BODY'],
    ['an unknown member', 'complete', '{"results":1}', 'INVALID_BODY'],
    ['an unknown member of elect', 'elect', '{"candidate":"a"}', 'INVALID_BODY'],
    ['an unknown member of elected', 'elected', '{"a":1}', 'INVALID_BODY'],
    ['an unknown member of completed', 'completed', '{"a":1}', 'INVALID_BODY'],
    ['an unknown member of renew', 'renew', '{"lease":"30s"}', 'INVALID_BODY'],
    ['a result on fail', 'fail', '{"result":1}', 'INVALID_BODY'],
    ['an unknown member of submit', 'submit', '{"round":1}', 'INVALID_BODY'],
    ['an array on submit', 'submit', '[]', 'INVALID_BODY'],
    ['__proto__', 'complete', '{"__proto__":{"result":1}}', 'INVALID_BODY'],
    ['__proto__, escaped', 'complete', '{"\\u005f_proto__":{"result":1}}', 'INVALID_BODY'],
    ['__proto__ inside', 'complete', '{"result":{"__proto__":{"a":1}}}', 'INVALID_BODY'],
    ['constructor.prototype', 'complete', '{"constructor":{"prototype":{"a":1}}}', 'INVALID_BODY'],
    ['a reason that is no text', 'fail', '{"reason":42}', 'INVALID_BODY'],
    ['no reason', 'fail', '{"reason":null}', 'INVALID_BODY'],
    ['an empty reason', 'fail', '{"reason":""}', 'INVALID_PARAMETER'],
    ['a long reason', 'fail', `{"reason":"${'a'.repeat(1_001)}"}`, 'INVALID_PARAMETER'],
    ['a long result', 'complete', `{"result":"${'a'.repeat(4_096)}"}`, 'INVALID_BODY'],
    ['a long result of short text', 'complete', `{"result":"${'é'.repeat(2_048)}"}`, 'INVALID_BODY'],
    ['a number beyond doubles', 'complete', '{"result":{"rows":[0,1e400]}}', 'INVALID_BODY'],
    ['an id that a double does not keep', 'complete', '{"result":9007199254740993}', 'INVALID_BODY'],
    ['an amount that a double does not keep', 'complete', '{"result":12345678901234.567}', 'INVALID_BODY'],
    ['an id in the data', 'submit', '{"data":{"id":12345678901234567890}}', 'INVALID_BODY'],
    ['a number too small', 'submit', '{"data":[1e-400]}', 'INVALID_BODY'],
    ['a member twice', 'submit', '{"data":{"to":"a","to":"b"}}', 'INVALID_BODY'],
    ['a reason twice', 'fail', '{"reason":"a","reason":"b"}', 'INVALID_BODY'],
    ['65 levels', 'complete', nested(64), 'INVALID_BODY'],
    ['2,000 levels', 'complete', nested(2_000), 'INVALID_BODY'],
    ['7,000 levels', 'complete', nested(7_000), 'INVALID_BODY'],
    ['50,000 levels', 'complete', nested(50_000), 'BODY_TOO_LARGE'],
    ['17 KiB', 'elect', ' '.repeat(17 * 1_024), 'BODY_TOO_LARGE'],
    ['1 MiB', 'complete', Buffer.alloc(1_048_576, ' '), 'BODY_TOO_LARGE'],
  ]

  it.each(bodies)('in a body: %s', async (_, name, body, code) => {
    const call: Call = { method: 'POST', path: `/api/v1/${name}/system/round`, headers: JSON_TYPE, body }
    await expectRefused(call, code)
    await expectRefused({ ...call, headers: { ...JSON_TYPE, 'transfer-encoding': 'chunked' } }, code)
  })

  const newer: [string, string, string, string | undefined, ErrorCode, RegExp][] = [
    ['a worker of ours', 'POST', 'take/rounds', undefined, 'INVALID_IDENTIFIER', /worker/],
    ['a worker with a space', 'POST', 'take/a%20b', undefined, 'INVALID_IDENTIFIER', /worker/],
    ['a short lease of a take', 'POST', 'take/mail?lease=10ms', undefined, 'INVALID_PARAMETER', /lease: /],
    ['a long wait of a take', 'POST', 'take/mail?wait=2m', undefined, 'INVALID_PARAMETER', /wait: /],
    ['a take by GET', 'GET', 'take/mail', undefined, 'METHOD_NOT_ALLOWED', /./],
    [
      'a give-back without a fence',
      'POST',
      'give-back/system/round',
      undefined,
      'INVALID_PARAMETER',
      /fence/,
    ],
    [
      'a give-back of a fence of zero',
      'POST',
      'give-back/system/round?fence=0',
      undefined,
      'INVALID_PARAMETER',
      /fence: /,
    ],
    ['a cancel by GET', 'GET', 'cancel/system/round', undefined, 'METHOD_NOT_ALLOWED', /./],
    [
      'a long reason to cancel',
      'POST',
      'cancel/system/round',
      `{"reason":"${'a'.repeat(1_001)}"}`,
      'INVALID_PARAMETER',
      /reason/,
    ],
    ['another member of a cancel', 'POST', 'cancel/system/round', '{"why":"x"}', 'INVALID_BODY', /"why"/],
    ['a cancel of nothing', 'POST', 'cancel/system/never-there', undefined, 'NOT_LED', /./],
    ['a retry by GET', 'GET', 'retry/system/round', undefined, 'METHOD_NOT_ALLOWED', /./],
    ['a retry of nothing', 'POST', 'retry/system/never-there', undefined, 'NOT_LED', /./],
    ['an attempt for a retry', 'POST', 'retry/system/round', '{"attempts":3}', 'INVALID_BODY', /"attempts"/],
    ['no line of a log', 'GET', 'rounds/system/round/job?lines=0', undefined, 'INVALID_PARAMETER', /lines/],
    ['a job of nothing', 'GET', 'rounds/system/never-there/job', undefined, 'NOT_LED', /./],
    ['a tally of another state', 'GET', 'rounds/tally?state=done', undefined, 'INVALID_PARAMETER', /./],
    [
      'a day that is none, to filter',
      'GET',
      'rounds?from=2027-02-29T08:00:00Z',
      undefined,
      'INVALID_PARAMETER',
      /from: /,
    ],
    [
      'a time without a zone, to filter',
      'GET',
      'rounds?to=2027-02-28T08:00:00',
      undefined,
      'INVALID_PARAMETER',
      /to: /,
    ],
    ['a pulse without a body', 'POST', 'fleet/pulse', undefined, 'INVALID_BODY', /./],
    ['a pulse that is an array', 'POST', 'fleet/pulse', '[]', 'INVALID_BODY', /./],
    ['a pulse with a number for a name', 'POST', 'fleet/pulse', '{"id":7}', 'INVALID_BODY', /./],
    ['__proto__ in a pulse', 'POST', 'fleet/pulse', '{"__proto__":{"id":"a"}}', 'INVALID_BODY', /./],
    ['an order to nobody', 'POST', 'fleet/orders', '{"do":"stop"}', 'EMPTY_SELECTION', /./],
    ['an order that is none', 'POST', 'fleet/orders', '{"do":"explode","all":true}', 'INVALID_BODY', /do: /],
    [
      'an order to a place that is none',
      'POST',
      'fleet/orders',
      '{"do":"stop","select":{"planet":"x"}}',
      'INVALID_PARAMETER',
      /planet/,
    ],
    ['settings of nothing', 'PUT', 'fleet/config/planet/x', '{}', 'INVALID_PARAMETER', /expected worker/],
    [
      'a setting that is none',
      'PUT',
      'fleet/config/worker/mail',
      '{"threads":3}',
      'INVALID_BODY',
      /"threads"/,
    ],
    [
      'slots of a worker below one',
      'PUT',
      'fleet/config/worker/mail',
      '{"concurrency":0}',
      'INVALID_BODY',
      /concurrency/,
    ],
    ['a pool of no size', 'PUT', 'fleet/pools/mail', '{}', 'INVALID_BODY', /instances/],
    [
      'a pool that is called so',
      'PUT',
      'fleet/pools/..%2Fmail',
      '{"instances":1}',
      'INVALID_PARAMETER',
      /pool: expected/,
    ],
    [
      'a release outside of the root',
      'POST',
      'fleet/pools/mail/deploy',
      '{"release":"../42"}',
      'INVALID_BODY',
      /release: expected a release/,
    ],
    [
      'a preview without a time',
      'POST',
      'schedules/system/name/preview',
      '{"job":{"worker":"mail"}}',
      'INVALID_BODY',
      /cron, every, at/,
    ],
    [
      'a preview of a cron of another dialect',
      'POST',
      'schedules/system/name/preview',
      '{"cron":"0 8 * * ? *"}',
      'INVALID_BODY',
      /./,
    ],
    ['a series of nobody', 'GET', 'fleet/series', undefined, 'INVALID_PARAMETER', /worker: /],
    ['a series of all', 'GET', 'fleet/series?worker=*', undefined, 'INVALID_PARAMETER', /worker: /],
    ['steps of 90 s', 'GET', 'fleet/series?worker=a&step=90s', undefined, 'INVALID_PARAMETER', /step: /],
    [
      'minutes of a year ago',
      'GET',
      'fleet/series?worker=a&step=1m&from=2025-11-22T08:00:00Z',
      undefined,
      'INVALID_PARAMETER',
      /step: minutes are kept for 24h/,
    ],
    [
      'a series that ends before it begins',
      'GET',
      'fleet/series?worker=a&from=2999-11-22T08:00:00Z',
      undefined,
      'INVALID_PARAMETER',
      /from: /,
    ],
    ['a log from nowhere', 'GET', 'fleet/log?after=x', undefined, 'INVALID_PARAMETER', /after: /],
    ['a log of no level', 'GET', 'fleet/log?level=loud', undefined, 'INVALID_PARAMETER', /level: /],
    ['a log of nothing', 'GET', 'fleet/log?text=', undefined, 'INVALID_PARAMETER', /text: /],
    ['a listener from nowhere', 'GET', 'fleet/events?after=x', undefined, 'INVALID_PARAMETER', /after: /],
  ]

  it.each(newer)('where what runs is told what to do: %s', async (_, method, path, body, code, detail) => {
    const sent = body === undefined ? {} : { headers: JSON_TYPE, body }
    await expectRefused({ method, path: `/api/v1/${path}`, ...sent }, code, detail)
  })

  it('two reasons that differ', async () => {
    await expectRefused(
      {
        method: 'POST',
        path: '/api/v1/fail/system/round?reason=a',
        headers: JSON_TYPE,
        body: '{"reason":"b"}',
      },
      'INVALID_PARAMETER',
      /differ/,
    )
  })

  const types: [string, Record<string, string>][] = [
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', { 'content-type': 'text/plain' }],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=a' }],
    ['XML', { 'content-type': 'application/xml' }],
    ['another JSON', { 'content-type': 'application/json-patch+json' }],
    ['no type', {}],
    ['what is no media type', { 'content-type': 'json' }],
  ]

  it.each(types)('a body of %s', async (_, sent) => {
    for (const name of ['elect', 'elected', 'complete', 'completed', 'fail', 'renew', 'submit']) {
      const path = `/api/v1/${name}/system/round`
      await expectRefused({ method: 'POST', path, headers: sent, body: '{}' }, 'UNSUPPORTED_MEDIA_TYPE')
    }
  })

  const routes: [string, string[]][] = [
    ...ROUND_PATHS.map((name): [string, string[]] => [
      `/api/v1/${name}/system/round`,
      BOTH_METHODS.includes(name) ? ['GET', 'POST'] : [name === 'rounds' ? 'GET' : 'POST'],
    ]),
    ['/api/v1/rounds', ['GET']],
    ['/healthz', ['GET', 'HEAD']],
    ['/readyz', ['GET', 'HEAD']],
    ['/metrics', ['GET', 'HEAD']],
  ]

  it.each(routes)('every other method on %s', async (path, allowed) => {
    const others = METHODS.filter((method) => method !== 'CONNECT' && !allowed.includes(method))
    const never = ['PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND']
    expect(others).toEqual(expect.arrayContaining(allowed.includes('HEAD') ? never : ['HEAD', ...never]))
    for (const method of others) {
      const answer = await send(server.url, { method, path })
      expect(answer.headers.allow, method).toBe(allowed.join(', '))
      if (method !== 'HEAD') expectProblem(answer, 'METHOD_NOT_ALLOWED')
      else expect([answer.status, answer.text]).toEqual([405, ''])
    }
  })

  it('every other method on the paths of schedules', async () => {
    const path = '/api/v1/schedules/system/name'
    const own: [string, string[]][] = [
      ['/api/v1/schedules', ['GET']],
      [path, ['GET', 'PUT', 'DELETE']],
      [`${path}/next`, ['GET']],
      ...['pause', 'resume', 'trigger', 'backfill'].map((step): [string, string[]] => [
        `${path}/${step}`,
        ['POST'],
      ]),
    ]
    for (const [url, allowed] of own) {
      for (const method of METHODS.filter((each) => each !== 'CONNECT' && !allowed.includes(each))) {
        const answer = await send(server.url, { method, path: url })
        expect([answer.status, answer.headers.allow], `${method} ${url}`).toEqual([405, allowed.join(', ')])
      }
    }
  })

  it.each(['PUT', 'PATCH', 'DELETE'])('%s for its method, whatever its body', async (method) => {
    const path = '/api/v1/complete/system/round'
    await expectRefused({ method, path, headers: JSON_TYPE, body: '{"result":1}' }, 'METHOD_NOT_ALLOWED')
    await expectRefused({ method, path, headers: JSON_TYPE, body: '{' }, 'METHOD_NOT_ALLOWED')
    await expectRefused({ method, path, body: 'text' }, 'METHOD_NOT_ALLOWED')
    await expectRefused({ method, path, body: Buffer.alloc(100_000) }, 'METHOD_NOT_ALLOWED')
  })

  it.each([
    '/api',
    '/api/v1',
    '/api/v2/elect/system/round',
    '/api/v1/elect',
    '/api/v1/elect/system',
    '/api/v1/elect/system/round/',
    '/api/v1/elect/system/round/more',
    '/api/v1/Elect/system/round',
    '/API/v1/elect/system/round',
    '/api/v1/rounds/',
    '/api/v1/rounds/system',
    '//api/v1/elect/system/round',
    '/api/v1/elect/system/../../../elect/system/round',
    '/favicon.ico',
    '/.env',
    '/docs/static/..%2f..%2fpackage.json',
    '/board/static/..%2f..%2fpackage.json',
  ])('an unknown path: %s', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) await expectRefused({ method, path }, 'NOT_FOUND')
    await expectRefused({ method: 'POST', path, headers: JSON_TYPE, body: '{' }, 'NOT_FOUND')
  })

  it('a path and query over 4,096 characters', async () => {
    for (const path of [
      `/api/v1/elect/system/${'a'.repeat(5_000)}`,
      `/api/v1/elect/system/${'%61'.repeat(1_500)}`,
      `/api/v1/elect/system/round?candidate=${'a'.repeat(5_000)}`,
      `/${'a'.repeat(15_000)}`,
    ]) {
      await expectRefused({ path }, 'URI_TOO_LONG', /at most 4096 characters/)
    }
  })

  it('headers over 16 KiB', async () => {
    const path = '/api/v1/elect/system/round'
    await expectRefused({ path, headers: { 'x-long': 'a'.repeat(17_000) } }, 'HEADERS_TOO_LARGE', /16 KiB/)
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`x-${n}`, 'a'.repeat(20)]))
    await expectRefused({ path, headers: many }, 'HEADERS_TOO_LARGE', /16 KiB/)
  })

  const line = 'GET /api/v1/elect/system/round HTTP/1.1\r\n'
  const host = 'Host: localhost\r\n'
  const post = `POST /api/v1/complete/system/round HTTP/1.1\r\n${host}`
  const streams: [string, string | Buffer][] = [
    ['garbage', 'garbage\r\n\r\n'],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex')],
    ['a method that is none', `ELECT /api/v1/elect/system/round HTTP/1.1\r\n${host}\r\n`],
    ['a space in the path', `GET /api/v1/elect/system/a b HTTP/1.1\r\n${host}\r\n`],
    ['NUL in the path', `GET /api/v1/elect/system/a\0b HTTP/1.1\r\n${host}\r\n`],
    ['bytes in the path that are not escaped', `GET /api/v1/elect/system/\u00e9 HTTP/1.1\r\n${host}\r\n`],
    ['a path without a slash', `GET api/v1/elect/system/round HTTP/1.1\r\n${host}\r\n`],
    ['another version', `GET /api/v1/elect/system/round HTTP/3.7\r\n${host}\r\n`],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no host', `${line}Connection: close\r\n\r\n`],
    ['a header without a name', `${line}${host}: a\r\n\r\n`],
    ['a header with a space in its name', `${line}${host}gone candidate: a\r\n\r\n`],
    ['a control character in a header', `${line}${host}Gone-Candidate: a\x01\r\n\r\n`],
    ['a folded header', `${line}${host}Gone-Candidate: a\r\n b\r\n\r\n`],
    ['a length that is no number', `${post}Content-Length: two\r\n\r\n{}`],
    ['a negative length', `${post}Content-Length: -1\r\n\r\n`],
    ['two lengths', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `],
    ['a length and chunks', `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['an encoding that is none', `${post}Transfer-Encoding: zip\r\n\r\n0\r\n\r\n`],
    ['a chunk of no size', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
  ]

  it.each(streams)('what is not HTTP: %s', async (_, bytes) => {
    expectProblem(await sendBytes(server.url, bytes), 'BAD_REQUEST')
  })

  // The last of its group: it looks at what all the others have left behind.
  it('leaves nothing in Redis', async () => {
    expect(await keys()).toEqual(keysBefore)
    expect(keysBefore).toEqual([])
  })
})

describe('odd names that are allowed', () => {
  const names = [
    ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN'],
    ['wait', 'completed', 'meta', 'events', 'id', 'failed', 'delayed', 'marker', 'stalled', 'rounds', 'gone'],
    [
      '0',
      '00',
      '123',
      '-1',
      '1e3',
      '9007199254740993',
      'a:b',
      'a:b:c',
      ':',
      '::',
      '*',
      '?',
      '[a]',
      '{x}',
      '{}',
    ],
    ['a~b', '~', 'a~', '~b', '%', '%25', '%2525', 'a%2Fb', '%2E', '%00', '%FF', 'a#b', 'a?b=c', 'a&b', 'a=b'],
    ['a;b', 'a+b', 'a,b', 'a|b', 'a\\b', "a'b", 'a"b', '<script>', '$&', '$(id)', '`id`', '...', '.a', 'a.'],
    [
      'Case',
      'case',
      'CASE',
      'é',
      '\u{1f600}',
      '\u2764\ufe0f',
      '日本語',
      'ß',
      'ẞ',
      'ss',
      'fi',
      '\ufb01',
      '\u{e000}',
    ],
    ['a'.repeat(128), 'a'.repeat(127), 'é'.repeat(64), '\u{1f600}'.repeat(32), '%'.repeat(128), 'round', 'r'],
  ].flat()

  const call = (step: string, system: string, round: string, more: Partial<Call> = {}): Promise<Answer> =>
    send(server.url, {
      method: 'POST',
      path: `/api/v1/${step}/${encodeURIComponent(system)}/${encodeURIComponent(round)}`,
      ...more,
    })

  async function list(system: string): Promise<LedRoundJson[]> {
    const answer = await send(server.url, {
      path: `/api/v1/rounds?limit=1000&system=${encodeURIComponent(system)}`,
    })
    expect(answer.status).toBe(200)
    return (JSON.parse(answer.text) as { rounds: LedRoundJson[] }).rounds
  }

  it('are rounds of their own in one system', async () => {
    expect(new Set(names).size).toBe(names.length)
    const system = 'odd-rounds'
    for (const [index, name] of names.entries()) {
      const elected = await call('elect', system, name, { headers: { 'gone-candidate': `token-${index}` } })
      expect([name, elected.status, elected.headers['gone-fence']]).toEqual([name, 202, String(index + 1)])
    }
    for (const [index, name] of names.entries()) {
      expect([name, (await call('elect', system, name)).status]).toEqual([name, 204])
      const leader = await call('elected', system, name)
      expect([name, leader.status, leader.headers['gone-fence']]).toEqual([name, 200, String(index + 1)])
      expect([name, (await call('completed', system, name)).status]).toEqual([name, 204])
      const completed = await call('complete', system, name, {
        headers: { ...JSON_TYPE, 'gone-candidate': `token-${index}` },
        body: JSON.stringify({ result: { name } }),
      })
      expect([name, completed.status]).toEqual([name, 200])
      expect([name, (await call('completed', system, name)).text]).toEqual([name, completed.caller])
    }
    const listed = await list(system)
    const found = listed.map(({ round, fence, completion }) => ({ round, fence, result: completion?.result }))
    expect(found.sort((a, b) => a.fence - b.fence)).toEqual(
      names.map((name, index) => ({ round: name, fence: index + 1, result: { name } })),
    )
    for (const name of names) {
      const job = await vi.waitFor(async () => {
        const seen = await queue.getJob(roundKey({ system, round: name }))
        expect([name, await seen?.getState()]).toEqual([name, 'completed'])
        return seen
      }, 30_000)
      expect(job?.returnvalue).toMatchObject({ outcome: 'completed', result: { name } })
    }
  })

  it('are systems of their own', async () => {
    for (const name of names) {
      const elected = await call('elect', name, 'round')
      expect([name, elected.status, elected.headers['gone-fence']]).toEqual([name, 202, '1'])
    }
    for (const name of names) {
      expect([name, (await call('completed', name, 'round')).status]).toEqual([name, 204])
      expect([name, (await call('complete', name, 'round')).status]).toEqual([name, 200])
      expect(await list(name)).toMatchObject([{ system: name, round: 'round', state: 'completed' }])
    }
  })

  it('are rounds by whatever bytes they are spelt', async () => {
    const spelt = ['plain', '%70lain', '%70%6C%61%69%6E', 'plai%6e']
    const statuses = []
    for (const round of spelt)
      statuses.push((await send(server.url, { path: `/api/v1/elect/spelling/${round}` })).status)
    expect(statuses).toEqual([202, 204, 204, 204])
    expect(await list('spelling')).toHaveLength(1)
  })
})

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}

function nested(levels: number): string {
  return `{"result":${'['.repeat(levels)}${']'.repeat(levels)}}`
}
