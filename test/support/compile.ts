import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What assembles the console, in src. */
const CONSOLE = join('console', 'assemble.mjs')

/**
 * What this tree's processes run, as JavaScript: one that is started through a loader spends twice the processor time.
 * Types are not checked.
 *
 * @returns a folder of its own inside the tree, for the caller to remove
 */
export async function compile(tree: string): Promise<string> {
  await mkdir(join(tree, '.built'), { recursive: true })
  const built = await mkdtemp(join(tree, '.built/'))
  await compileTo(built, tree)
  return built
}

/** Compiles it once more, into this folder. */
export async function compileTo(built: string, tree: string): Promise<void> {
  const tsc = join(tree, 'node_modules/.bin/tsc')
  await run(process.execPath, [tsc, '-p', join(tree, 'tsconfig.programs.json'), '--outDir', built])
  const files = await readdir(join(tree, 'src'), { recursive: true })
  const asIs = [
    ...files.filter((file) => file.endsWith('.lua')).map((file) => join('src', file)),
    'package.json',
  ]
  await Promise.all(asIs.map((file) => cp(join(tree, file), join(built, file))))
  // An older tree may be from before there was one.
  if (!files.includes(CONSOLE)) return
  await compileConsole(tree)
  await cp(join(tree, '.built/console'), join(built, 'console'), { recursive: true })
}

/** What servers of this tree show to browsers. Does nothing if it is there and newest. */
export async function compileConsole(tree: string): Promise<void> {
  await run(process.execPath, [join(tree, 'src', CONSOLE)])
}
