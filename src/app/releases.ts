import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { isRelease } from '../core/fleet/pool-body.ts'
import { GoneError } from '../errors.ts'
import { eachAtOnce } from '../waiting.ts'

/** Where the releases of a host are: folders below a root that its owner allows. */
export interface ReleasesFolder {
  readonly root: string
  /** In each of them, where the workers are; missing: in itself. */
  readonly folder?: string
}

const MOST_LISTED = 100
const LOOKED_AT_ONCE = 8

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
  const [below, path] = await Promise.all(paths).catch((cause: unknown) => {
    if (isCertain(cause)) throw fail('there is no such folder')
    throw cause
  })
  if (!path.startsWith(below.endsWith(sep) ? below : below + sep)) throw fail('it is a link out of there')
  if (!(await stat(path)).isDirectory()) throw fail('not a folder')
  return path
}

/**
 * The names of those that there are, the newest first.
 *
 * @param named those that are told however old they are
 * @throws Error where the system could not tell
 */
export async function releasesIn(
  releases: ReleasesFolder,
  named: ReadonlySet<string>,
): Promise<readonly string[]> {
  const entries = await readdir(releases.root).catch((cause: unknown) => {
    if (isCertain(cause)) return []
    throw cause
  })
  const found = await eachAtOnce(LOOKED_AT_ONCE, entries.filter(isRelease), async (name) => {
    try {
      await releaseFolder(releases, name)
      return [{ name, atMs: (await stat(join(releases.root, name))).mtimeMs }]
    } catch (cause) {
      if (cause instanceof GoneError || isCertain(cause)) return []
      throw cause
    }
  })
  const newest = found.flat().sort((a, b) => b.atMs - a.atMs || (a.name < b.name ? -1 : 1))
  return newest.map(({ name }) => name).filter((name, index) => index < MOST_LISTED || named.has(name))
}

/** True if there is no such folder, and not only no answer, as where too many files are open or a disk fails. */
function isCertain(cause: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes((cause as NodeJS.ErrnoException).code ?? '')
}
