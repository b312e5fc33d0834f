import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Listing } from '../../src/app/listing.ts'
import { releaseFolder, releasesIn } from '../../src/app/releases.ts'
import { silentLog } from '../support/log.ts'

const NONE: ReadonlySet<string> = new Set()

let world: string
let root: string

beforeEach(async () => {
  world = await mkdtemp(join(tmpdir(), 'gone-releases-'))
  root = join(world, 'releases')
  await mkdir(join(root, '41', 'workers'), { recursive: true })
  await mkdir(join(world, 'outside', 'workers'), { recursive: true })
  await writeFile(join(root, 'notes.txt'), '')
  await symlink('41', join(root, 'current'))
  await symlink(join(world, 'outside'), join(root, 'evil'))
  await symlink('nowhere', join(root, 'broken'))
  await mkdir(join(root, '42'))
  await symlink(join(world, 'outside', 'workers'), join(root, '42', 'workers'))
})

afterEach(() => rm(world, { recursive: true, force: true }))

describe('a release', () => {
  it('is a folder below the root, or a link to one there', async () => {
    expect(await releaseFolder({ root, folder: 'workers' }, '41')).toBe(join(root, '41', 'workers'))
    expect(await releaseFolder({ root }, 'current')).toBe(join(root, '41'))
  })

  it.each([
    ['evil', undefined, 'it is a link out of there'],
    ['42', 'workers', 'it is a link out of there'],
    ['41', '../../outside', 'it is a link out of there'],
    ['broken', undefined, 'there is no such folder'],
    ['43', undefined, 'there is no such folder'],
    ['notes.txt', undefined, 'not a folder'],
    ['..', undefined, 'not the name of a release'],
    ['41/workers', undefined, 'not the name of a release'],
  ])('is not %s with %s', async (name, folder, why) => {
    const given = { root, ...(folder !== undefined && { folder }) }
    await expect(releaseFolder(given, name)).rejects.toThrow(why)
  })

  it('is listed where it is one', async () => {
    const inWorkers = { root, folder: 'workers' }
    expect([...(await releasesIn({ root }, NONE))].sort()).toEqual(['41', '42', 'current'])
    expect(await releasesIn(inWorkers, NONE)).toEqual(expect.arrayContaining(['41', 'current']))
    expect(await releasesIn(inWorkers, NONE)).not.toContain('42')
    expect(await releasesIn({ root: join(world, 'none') }, NONE)).toEqual([])
  })

  it('is listed where it is one of the 100 newest, or named', async () => {
    await utimes(join(root, '41'), 1, 1)
    for (let n = 100; n < 200; n += 1) await mkdir(join(root, `${n}`))
    const listed = await releasesIn({ root }, NONE)
    expect(listed).toHaveLength(100)
    expect(listed).not.toContain('41')
    const named = await releasesIn({ root }, new Set(['41', 'none']))
    expect([named.length, named.at(-1)]).toEqual([101, '41'])
  })

  it('is not listed as missing where the system does not tell', async () => {
    await expect(releasesIn({ root: 'x'.repeat(5_000) }, NONE)).rejects.toMatchObject({
      code: 'ENAMETOOLONG',
    })
  })
})

describe('what is listed', () => {
  it('is what was found last where it cannot be looked up, or does not come', async () => {
    vi.useFakeTimers()
    try {
      const list = vi.fn<(named: ReadonlySet<string>) => Promise<readonly string[]>>(async () => ['41'])
      const listing = new Listing(list, silentLog, () => Date.now())
      const now = async (named = NONE) => {
        await vi.advanceTimersByTimeAsync(3_000)
        const found = listing.now(named)
        await vi.advanceTimersByTimeAsync(3_000)
        return found
      }
      expect(await now()).toEqual(['41'])
      list.mockRejectedValueOnce(new Error('EMFILE'))
      expect(await now()).toEqual(['41'])
      list.mockImplementationOnce(() => new Promise(() => {}))
      expect([await now(), await now()]).toEqual([['41'], ['41']])
      // What hangs is not asked a second time.
      expect(list).toHaveBeenCalledTimes(3)
    } finally {
      vi.useRealTimers()
    }
  })

  it('is looked up at once where others are named', async () => {
    const listing = new Listing(
      async (named) => ['41', ...named],
      silentLog,
      () => Date.now(),
    )
    expect(await listing.now(NONE)).toEqual(['41'])
    expect(await listing.now(new Set(['7']))).toEqual(['41', '7'])
  })
})
