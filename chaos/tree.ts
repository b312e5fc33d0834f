import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compile } from '../test/support/compile.ts'
import { CannotRun } from './scenario.ts'

const run = promisify(execFile)
const GIT_MS = 30_000

/** A change to one place of a file's text. */
export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** This project's own tree. */
export const TREE = fileURLToPath(new URL('..', import.meta.url))

/** Another text is another script to Redis, as in another version. */
export const OTHER_BUILD: readonly Patch[] = [
  {
    file: 'src/store/records/record.lua',
    find: 'local HOUR_MS = 3600000',
    replace: 'local HOUR_MS = 3600 * 1000',
  },
]

/** The build that this one must get on with where there is no release yet. */
const OLD_COMMIT = '6427696'

/** Says what of a tree is compiled. */
const PROGRAMS = 'tsconfig.programs.json'
const COPIED = ['src', 'chaos', 'test/support', 'package.json', 'tsconfig.json', PROGRAMS]

/** What runs of such a copy. */
export async function builtCopy(folder: string, patches: readonly Patch[]): Promise<string> {
  return compile(await copyTree(folder, patches))
}

/**
 * A copy of what runs, with these changes.
 *
 * @throws Error if a text to replace is not there exactly once: then the patch proves nothing any more
 */
export async function copyTree(folder: string, patches: readonly Patch[]): Promise<string> {
  const copy = await newTree(folder)
  await mkdir(join(copy, 'test'))
  for (const name of COPIED) await cp(join(TREE, name), join(copy, name), { recursive: true })
  for (const { file, find, replace } of patches) {
    const text = await readFile(join(copy, file), 'utf8')
    const found = text.split(find).length - 1
    if (found !== 1) throw new Error(`${file}: expected "${find}" once, found it ${found} times`)
    await writeFile(
      join(copy, file),
      text.replace(find, () => replace),
    )
  }
  return copy
}

/** The build that this one must get on with: the last release before this commit. */
export async function oldBuild(tree = TREE): Promise<string> {
  const words = ['describe', '--tags', '--match', 'v*', '--abbrev=0', 'HEAD^']
  const found = await run('git', ['-C', tree, ...words], { timeout: GIT_MS }).catch(() => undefined)
  return found?.stdout.trim() || OLD_COMMIT
}

/**
 * What ran at a commit of this repository, with what is installed now.
 *
 * @throws CannotRun if this clone does not have the commit
 */
export async function builtAt(folder: string, commit: string): Promise<string> {
  const git = (...args: string[]) => run('git', ['-C', TREE, ...args], { timeout: GIT_MS })
  const known = await git('cat-file', '-e', `${commit}^{commit}`).catch(() => undefined)
  if (!known)
    throw new CannotRun(`commit ${commit} is not in this clone; get it with "git fetch --unshallow"`)
  const tree = await newTree(folder)
  const archive = join(folder, `${commit}.tar`)
  await git('archive', `--output=${archive}`, commit)
  await run('tar', ['-x', '-f', archive, '-C', tree], { timeout: GIT_MS })
  await cp(join(TREE, PROGRAMS), join(tree, PROGRAMS))
  return compile(tree)
}

async function newTree(folder: string): Promise<string> {
  const tree = await mkdtemp(join(folder, 'tree-'))
  await symlink(join(TREE, 'node_modules'), join(tree, 'node_modules'))
  return tree
}
