import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { runCli } from '../support/cli.ts'
import { program } from '../support/program.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-completion-'))
  server = await startTestServer()
  const client = createClient({ url: server.url })
  const { schedules } = client
  await client.elect('report', '2026-11-22')
  await client.elect('report', '2026-11-23')
  await fetch(`${server.url}/api/v1/fleet/pulse`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'one', host: 'eu-a', workers: [{ name: 'mailer', slots: 4 }] }),
  })
  const job = { worker: 'hello' }
  await schedules.put('shop', 'nightly', { every: '1h', job })
  await schedules.put('shop', 'weekly', { every: '1d', job })
  await schedules.put('$(id>ran)', '*', { every: '1h', job })
})

afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true })
})

/** What a real bash offers where the last word is typed. */
async function offered(...typed: string[]): Promise<string[]> {
  const { stdout: script } = await runCli(['completion', 'bash'])
  const file = join(folder, 'completion.bash')
  await writeFile(file, script)
  const gone = [process.execPath, ...program('src/cli/main.ts')].map((word) => `'${word}'`).join(' ')
  const typing = ['gone', ...typed].map((word) => `'${word}'`).join(' ')
  const lines = [
    `gone() { ${gone} "$@"; }`,
    `source ${file}`,
    `COMP_WORDS=(${typing}) COMP_CWORD=${typed.length}`,
    '_gone',
    'printf "%s\\n" "$' + '{COMPREPLY[@]}"',
  ]
  const env = { ...process.env, GONE_URL: server.url }
  const { stdout } = await promisify(execFile)('bash', ['-c', lines.join('\n')], { cwd: folder, env })
  return stdout.split('\n').filter((line) => line !== '')
}

describe('the completion of a shell', () => {
  it.each<[string[], string[]]>([
    [['sch'], ['schedule']],
    [['schedule', 'p'], ['pause']],
    [['elect', '--l'], ['--lease']],
    [['schedule', 'set', 'shop', 'x', '--overlap', 'q'], ['queue']],
    // What the server knows.
    [
      ['schedule', 'pause', ''],
      ['report', 'shop'],
    ],
    [
      ['complete', 'report', ''],
      ['2026-11-22', '2026-11-23'],
    ],
    [['call', ''], ['mailer']],
    [['schedule', 'set', 'shop', 'x', '--worker', 'm'], ['mailer']],
    [
      ['schedule', 'pause', '--json', 'shop', ''],
      ['nightly', 'weekly'],
    ],
    [['schedule', 'pause', 'shop', 'w'], ['weekly']],
    // A command of the user's own, and names that are not there.
    [['once', '-s', 'a', '-r', 'b', '--', ''], []],
    [['schedule', 'pause', 'no-such-system', ''], []],
  ])('offers for %j %j', async (typed, expected) => {
    expect(await offered(...typed)).toEqual(expected)
  })

  it('runs nothing that is in a name', async () => {
    await offered('schedule', 'pause', '$')
    await offered('schedule', 'pause', '')
    expect(await readdir(folder)).not.toContain('ran')
  })

  it('offers the commands, and says nothing, where no server answers', async () => {
    const words = ['completion', 'words', '--', 'schedule', 'pause', '']
    const { code, stdout, stderr } = await runCli(words, { GONE_URL: 'http://127.0.0.1:9' })
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})
