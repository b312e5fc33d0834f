import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { program } from '../support/program.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

afterAll(() => server.stop())

/** How a command ends whose output nobody can take: a full disk, or a pipe that is not read. */
async function end(kind: 'full' | 'closed', words: readonly string[]) {
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [...program('src/cli/main.ts'), ...words], {
    env: { PATH: process.env.PATH, GONE_URL: server.url, REDIS_URL: server.redis.url },
    stdio: ['ignore', kind === 'full' ? full : 'pipe', 'pipe'],
  })
  closeSync(full)
  child.stdout?.destroy()
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stderr }
}

const TOLD = {
  full: 'gone: cannot write to standard output: ENOSPC: no space left on device, write\n',
  closed: '',
}

describe.each(['full', 'closed'] as const)('with an output that is %s', (kind) => {
  it.each([
    ['has won', ['elect', 'unread', `${kind}-1`, '--candidate', 'a'], 0],
    ['has lost', ['elect', 'unread', `${kind}-1`, '--candidate', 'b'], 1],
    ['lists', ['rounds', '--limit', '2000'], 0],
    ['follows', ['rounds', '--follow'], 0],
    ['has keys', ['key', 'list'], 0],
    ['asks whether a server is ready', ['ready'], 0],
    ['examines', ['doctor', '--json'], 0],
    ['runs a command', ['once', '-s', 'unread', '-r', `${kind}-2`, '--', 'sh', '-c', 'echo a; exit 3'], 3],
  ])('a command that %s ends with its own code', async (does, words, own) => {
    // Of these the output is all there is.
    const code = kind === 'full' && ['follows', 'has keys'].includes(does) ? 2 : own
    expect(await end(kind, words)).toEqual({ code, stderr: does === 'runs a command' ? '' : TOLD[kind] })
  })
})
