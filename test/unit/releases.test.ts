import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { releaseFolder, releasesIn } from '../../src/app/releases.ts'

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
    expect([...(await releasesIn({ root }))].sort()).toEqual(['41', '42', 'current'])
    expect(await releasesIn({ root, folder: 'workers' })).toEqual(expect.arrayContaining(['41', 'current']))
    expect(await releasesIn({ root, folder: 'workers' })).not.toContain('42')
    expect(await releasesIn({ root: join(world, 'none') })).toEqual([])
  })
})
