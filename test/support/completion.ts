import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { startTestServer } from './server.ts'
import { putGoneIn } from './snippets.ts'
import type { Typed } from './typing.ts'

/** Where a shell completes: `gone` is there, and a server that knows some names. */
export interface CompletionWorld {
  /** For what the shell is told and says. */
  readonly folder: string
  /** Where it stands; a file `data.json` is there. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

interface CompletingShell {
  complete(line: string): Promise<Typed>
}

const SLOT = 'nightly@2026-11-22T02:00:00+01:00'

/** What is to be completed in whatever shell, typed into a real one. */
export function tryCompletion(
  name: string,
  open: (world: CompletionWorld) => Promise<CompletingShell>,
): void {
  let world: CompletionWorld

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gone-completion-'))
    const cwd = join(folder, 'here')
    await mkdir(cwd)
    await writeFile(join(cwd, 'data.json'), '{}')
    const { url } = await startTestServer()
    world = { folder, cwd, env: await putGoneIn(folder, url) }
    await fill(url)
  })

  afterAll(() => rm(world.folder, { recursive: true }))

  describe(`the completion of ${name}`, () => {
    it('offers what may stand where somebody types', async () => {
      const shell = await open(world)
      for (const [typed, expected] of OFFERED) {
        const { offered } = await shell.complete(`gone ${typed}`)
        expect([...offered].sort(), typed).toEqual(expected)
      }
    }, 300_000)

    it('writes the one word that there is, in whatever characters', async () => {
      const shell = await open(world)
      for (const [typed, expected] of COMPLETED)
        expect((await shell.complete(`gone ${typed}`)).line, typed).toBe(`gone ${expected} `)
    }, 300_000)

    it('runs nothing that is in a name', async () => {
      const shell = await open(world)
      for (const typed of ['schedule pause $', 'schedule pause ']) await shell.complete(`gone ${typed}`)
      expect(await readdir(world.cwd)).toEqual(['data.json'])
    }, 300_000)
  })
}

const OFFERED: readonly [string, readonly string[]][] = [
  ['sch', ['schedule']],
  ['schedule p', ['pause']],
  ['elect --l', ['--lease']],
  ['schedule set shop x --overlap q', ['queue']],
  // What the server knows.
  ['schedule pause ', ['report', 'shop', 'slots']],
  ['complete report ', ['2026-11-22', '2026-11-23']],
  ['call ', ['mailer']],
  ['schedule set shop x --worker m', ['mailer']],
  ['schedule pause --json shop ', ['nightly', 'weekly']],
  ['schedule pause shop w', ['weekly']],
]

const COMPLETED: readonly [string, string][] = [
  ['sch', 'schedule'],
  ['schedule pause shop w', 'schedule pause shop weekly'],
  // A shell may take some of these for the end of a word.
  ['completed slots n', `completed slots ${SLOT}`],
  ['completed slots nightly@20', `completed slots ${SLOT}`],
  ['completed slots nightly@2026-11-22T02:0', `completed slots ${SLOT}`],
  [`submit w 'a b' x --data '{"n": 1}' --reg`, `submit w 'a b' x --data '{"n": 1}' --region`],
  // A command of the user's own, and names that are not there: files.
  ['once -s a -r b -- da', 'once -s a -r b -- data.json'],
  ['schedule pause no-such-system da', 'schedule pause no-such-system data.json'],
]

async function fill(url: string): Promise<void> {
  const client = createClient({ url })
  const { schedules } = client
  await client.elect('report', '2026-11-22')
  await client.elect('report', '2026-11-23')
  await client.elect('slots', SLOT)
  await fetch(`${url}/api/v1/fleet/pulse`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'one', host: 'eu-a', workers: [{ name: 'mailer', slots: 4 }] }),
  })
  const job = { worker: 'hello' }
  await schedules.put('shop', 'nightly', { every: '1h', job })
  await schedules.put('shop', 'weekly', { every: '1d', job })
  await schedules.put('$(id>ran)', '*', { every: '1h', job })
}
