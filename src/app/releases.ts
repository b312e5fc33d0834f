import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { isRelease } from '../core/fleet/pool-body.ts'
import { GoneError } from '../errors.ts'

/** Where the releases of a host are: folders below a root that its owner allows. */
export interface ReleasesFolder {
  readonly root: string
  /** In each of them, where the workers are; missing: in itself. */
  readonly folder?: string
}

const MOST_LISTED = 100

/**
 * Where the workers of a release are, with all links followed. Nothing outside of the root is ever a release.
 *
 * @throws GoneError `CONFIG` where there is no such release
 */
export async function releaseFolder(releases: ReleasesFolder, release: string): Promise<string> {
  const { root, folder = '.' } = releases
  const fail = (why: string) => new GoneError('CONFIG', `release ${release} below ${root}: ${why}`)
  if (!isRelease(release)) throw fail('not the name of a release')
  const paths = [realpath(root), realpath(join(root, release, folder))] as const
  const [below, path] = await Promise.all(paths).catch(() => {
    throw fail('there is no such folder')
  })
  if (!path.startsWith(below.endsWith(sep) ? below : below + sep)) throw fail('it is a link out of there')
  if (!(await stat(path)).isDirectory()) throw fail('not a folder')
  return path
}

/** The names of those that there are, the newest first. */
export async function releasesIn(releases: ReleasesFolder): Promise<readonly string[]> {
  const names = (await readdir(releases.root).catch(() => [])).filter(isRelease)
  const found = await Promise.all(
    names.map(async (name) => {
      const path = await releaseFolder(releases, name).catch(() => undefined)
      return path === undefined ? [] : [{ name, atMs: (await stat(join(releases.root, name))).mtimeMs }]
    }),
  )
  const newest = found.flat().sort((a, b) => b.atMs - a.atMs || (a.name < b.name ? -1 : 1))
  return newest.slice(0, MOST_LISTED).map(({ name }) => name)
}
