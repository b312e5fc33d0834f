import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile } from '../test/support/compile.ts'

/** A change to one place of a file's text. */
export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** This project's own tree. */
export const TREE = fileURLToPath(new URL('..', import.meta.url))

const COPIED = ['src', 'chaos', 'test/support', 'package.json', 'tsconfig.json', 'tsconfig.programs.json']

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
  const copy = await mkdtemp(join(folder, 'tree-'))
  await mkdir(join(copy, 'test'))
  for (const name of COPIED) await cp(join(TREE, name), join(copy, name), { recursive: true })
  await symlink(join(TREE, 'node_modules'), join(copy, 'node_modules'))
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
