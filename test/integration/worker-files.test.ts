import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadWorkers } from '../../src/app/worker-files.ts'
import { escapePart } from '../../src/core/rounds/round.ts'
import { defineWorker } from '../../src/index.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-worker-files-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const WORKER = 'export default async () => ({ from: import.meta.url })\n'

const write = (name: string, text = WORKER) => writeFile(join(folder, name), text)

const namesOf = (loaded: Awaited<ReturnType<typeof loadWorkers>>) => loaded.workers.map(({ name }) => name)

describe('a folder of workers', () => {
  it('may be a ConfigMap, whose files are links to links', async () => {
    await mkdir(join(folder, '..2026_11_22_08_00_00.1'))
    await write('..2026_11_22_08_00_00.1/mail.mjs')
    await write('..2026_11_22_08_00_00.1/report.js')
    await write('..2026_11_22_08_00_00.1/README')
    await symlink('..2026_11_22_08_00_00.1', join(folder, '..data'))
    for (const name of ['mail.mjs', 'report.js', 'README'])
      await symlink(`..data/${name}`, join(folder, name))
    await write('package.json', '{"type":"module"}')
    const loaded = await loadWorkers(folder)
    expect(namesOf(loaded)).toEqual(['mail', 'report'])
    expect(loaded.leftOut).toEqual([
      'README (neither .js, .mjs nor .ts)',
      'package.json (neither .js, .mjs nor .ts)',
    ])
  })

  it('may have links to files elsewhere, and be a link itself', async () => {
    await mkdir(join(folder, 'real'))
    await write('real/one.mjs')
    await mkdir(join(folder, 'workers'))
    await symlink(join(folder, 'real/one.mjs'), join(folder, 'workers/two.mjs'))
    await symlink('workers', join(folder, 'linked'))
    expect(namesOf(await loadWorkers(join(folder, 'linked')))).toEqual(['two'])
  })

  it('may name a worker as the queue of a system that has to be escaped', async () => {
    for (const system of ['müller', '100%', '%41', 'a b%20c'.replace(' ', '+')])
      await write(`${escapePart(system)}.mjs`, `export default async () => ${JSON.stringify(system)}\n`)
    const { workers } = await loadWorkers(folder)
    const told = await Promise.all(
      workers.map(async ({ name, handler }) => [name, await handler({} as never, {} as never)]),
    )
    expect(Object.fromEntries(told)).toEqual({
      'm%C3%BCller': 'müller',
      '100%25': '100%',
      '%2541': '%41',
      'a%2Bb%2520c': 'a+b%20c',
    })
  })

  it('says what it leaves out, and why', async () => {
    await write('mail.mjs')
    await write('mail.d.mts', '')
    await write('old.cjs', '')
    await write('notes.md', '')
    await mkdir(join(folder, 'lib'))
    await mkdir(join(folder, 'folder.mjs'))
    await symlink('nowhere.mjs', join(folder, 'lost.mjs'))
    await write('.hidden.mjs', '')
    const { leftOut } = await loadWorkers(folder)
    expect(leftOut).toEqual([
      'folder.mjs (a folder)',
      'lib (a folder)',
      'lost.mjs (a link to nothing)',
      'mail.d.mts (declarations)',
      'notes.md (neither .js, .mjs nor .ts)',
      'old.cjs (neither .js, .mjs nor .ts)',
    ])
  })

  it('without a worker is refused with what is there', async () => {
    await write('mail.cjs', '')
    await expect(loadWorkers(folder)).rejects.toThrow(
      `no workers in ${folder}: expected .js, .mjs or .ts files, got mail.cjs (neither .js, .mjs nor .ts)`,
    )
    await expect(loadWorkers(join(folder, 'none'))).rejects.toThrow(
      /cannot read the folder of workers .*ENOENT/,
    )
  })

  it('leaves out what is off, and refuses to be asked for it', async () => {
    await write('shell.mjs')
    await write('mail.mjs')
    const off = { shell: 'it has no catalogue' }
    const loaded = await loadWorkers(folder, undefined, off)
    expect([namesOf(loaded), loaded.leftOut]).toEqual([['mail'], ['shell.mjs (it has no catalogue)']])
    await expect(loadWorkers(folder, ['shell'], off)).rejects.toThrow(/^worker shell: it has no catalogue$/)
  })

  it('has workers that were defined with options, and without', async () => {
    const handler = async (job: { data: { to: string } }) => job.data.to
    expect(defineWorker(handler)).toEqual({ options: {}, handler })
    expect(defineWorker({ attempts: 3 }, handler)).toEqual({ options: { attempts: 3 }, handler })
    await write('plain.mjs', 'export default { options: {}, handler: () => 1 }')
    expect((await loadWorkers(folder)).workers[0]?.terms).toMatchObject({ attempts: 1, concurrency: 1 })
  })
})
