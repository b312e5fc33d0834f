import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readOpenApi } from '../support/openapi.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'

const run = promisify(execFile)

let server: TestServer
/** Inside the tree, where the client finds what it imports. */
let folder: string

beforeAll(async () => {
  server = await startTestServer()
  await mkdir(join(ROOT, '.built'), { recursive: true })
  folder = await mkdtemp(join(ROOT, '.built/openapi-'))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(join(folder, 'gone.json'), (await send(server.url, { path: '/docs/json' })).text)
})

afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true })
})

/** Runs a program of a package that is installed; returns what it prints. */
async function runProgram(file: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  try {
    return (await run(process.execPath, [join(ROOT, 'node_modules', file), ...args], { cwd: folder, env }))
      .stdout
  } catch (cause) {
    throw new Error(`${file}: ${(cause as { stdout?: string }).stdout}`, { cause })
  }
}

it('has neither an error nor a warning that a linter finds', async () => {
  const stdout = await runProgram('@redocly/cli/bin/cli.js', 'lint', 'gone.json', '--format=json')
  expect(JSON.parse(stdout)).toMatchObject({ totals: { errors: 0, warnings: 0 }, problems: [] })
})

it('says of names in paths what is taken, and where an answer goes on as events', async () => {
  const { paths } = await readOpenApi(server.url)
  const named = Object.entries(paths).flatMap(([path, operations]) =>
    Object.values(operations).flatMap(({ parameters = [] }) =>
      parameters
        .filter((one) => one.in === 'path')
        .map(({ name, schema }) => [path.includes('{of}') ? `of ${name}` : name, schema] as const),
    ),
  )
  const any = { type: 'string', minLength: 1, maxLength: 128 }
  const worker = { ...any, maxLength: 384 }
  expect(Object.fromEntries(named)).toEqual({
    system: any,
    round: any,
    name: any,
    id: any,
    worker,
    'of of': { type: 'string', enum: ['worker', 'instance'] },
    'of name': worker,
  })
  const longest = (much: number) =>
    send(server.url, { method: 'POST', path: `/api/v1/take/${'w'.repeat(much)}` })
  expect([(await longest(384)).status, (await longest(385)).status]).toEqual([204, 400])

  const streamed = Object.entries(paths).filter(([, { get }]) =>
    JSON.stringify(get?.responses ?? {}).includes('"text/event-stream"'),
  )
  expect(streamed.map(([path]) => path)).toEqual(['/api/v1/fleet/events', '/api/v1/fleet/log'])
})

/** What somebody writes with the client that a generator has made: its types are checked, and it is run. */
const USE = `
import { defaults, complete, elect, elected, getRound, renew, submit } from './client.ts'

defaults.baseUrl = process.argv[2] as string
const json = { headers: { accept: 'application/json' } }

const won = await elect('shop', '1', { goneCandidate: 'a', lease: '30s' }, json)
if (won.status !== 202) throw new Error('lost')
const fence: number = won.data.fence
const lost = await elect('shop', '1', { goneCandidate: 'b' })

const leader = await elected('shop', '1', { headers: { accept: 'text/plain' } })
const address: string = leader.status === 200 ? leader.data : ''

const made = await submit('shop', '2', { worker: 'nobody', attempts: 2 })
if (made.status !== 202) throw new Error('not made')
const link: string = made.data.link
const waited = await getRound('shop', '2', { wait: '10ms' })
const state: string = waited.status === 200 ? waited.data.state : ''

const done = await complete('shop', '1', { result: { rows: 42 } }, { fence, goneCandidate: 'a' })
const refused = await renew('shop', '1', { fence })
if (refused.status !== 409) throw new Error('renewed')
const code: 'SUPERSEDED' | 'ROUND_FINISHED' = refused.data.code
const unknown = await elect('shop', '3', { lease: 'soon' })
const detail = unknown.status === 400 ? unknown.data.detail : ''

console.log(JSON.stringify({ fence, lost: lost.status, address, link, state, done: done.status, code, detail }))
`

it('makes a client that elects, reads a text, submits, waits and gets a typed problem', async () => {
  await runProgram('oazapfts/dist/cli.js', 'gone.json', 'client.ts')
  await writeFile(join(folder, 'use.ts'), USE)
  const options = [
    '--strict',
    '--noEmit',
    '--skipLibCheck',
    '--allowImportingTsExtensions',
    '--types',
    'node',
  ]
  const target = ['--target', 'es2023', '--module', 'nodenext', '--ignoreConfig']
  await runProgram('typescript/bin/tsc', ...options, ...target, 'use.ts')

  const { stdout } = await run(process.execPath, ['--import', 'tsx', join(folder, 'use.ts'), server.url], {
    cwd: ROOT,
  })
  expect(JSON.parse(stdout)).toEqual({
    fence: 1,
    lost: 204,
    address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    link: '/api/v1/rounds/shop/2',
    state: 'submitted',
    done: 200,
    code: 'ROUND_FINISHED',
    detail: 'lease: expected a duration like 30s or 10m, from 1 s to 1 d, got "soon"',
  })
})
