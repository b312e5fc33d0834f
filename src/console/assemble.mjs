// Makes the console as browsers take it: plain modules and one style sheet, without a bundler.
// node src/console/assemble.mjs [folder]; without a folder for this tree's own servers, and only what is not newest already.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))
const TREE = resolve(HERE, '../..')
/** In this order: what comes later says more. */
const STYLES = ['tokens', 'base', 'parts', 'pages']

const [asked] = process.argv.slice(2)
const folder = resolve(asked ?? join(TREE, '.built/console'))
if (asked !== undefined || !isNewest()) assemble()

function assemble() {
  const made = `${folder}-${process.pid}`
  rmSync(made, { recursive: true, force: true })
  mkdirSync(made, { recursive: true })
  const tsc = join(TREE, 'node_modules/typescript/bin/tsc')
  const flags = ['--noEmit', 'false', '--incremental', 'false', '--noCheck', '--outDir', join(made, 'all')]
  execFileSync(process.execPath, [tsc, '-p', HERE, ...flags], { stdio: 'inherit' })
  // What is imported for its types alone lies beside it.
  renameSync(join(made, 'all/console'), join(made, 'out'))
  const out = join(made, 'out')
  const preact = dirname(createRequire(import.meta.url).resolve('preact/package.json'))
  writeFileSync(
    join(out, 'lib/preact.js'),
    readFileSync(join(preact, 'dist/preact.mjs'), 'utf8').replace(/\n\/\/# sourceMappingURL=.*/, ''),
  )
  copyFileSync(join(preact, 'LICENSE'), join(out, 'lib/preact.LICENSE.txt'))
  writeFileSync(
    join(out, 'style.css'),
    STYLES.map((name) => readFileSync(join(HERE, `style/${name}.css`), 'utf8')).join('\n'),
  )
  for (const icon of ['icon.svg', 'icon-bad.svg']) copyFileSync(join(HERE, 'style', icon), join(out, icon))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  renameSync(out, folder)
  rmSync(made, { recursive: true, force: true })
}

function isNewest() {
  const made = join(folder, 'style.css')
  if (!existsSync(made)) return false
  const madeAtMs = statSync(made).mtimeMs
  const sources = readdirSync(HERE, { recursive: true, encoding: 'utf8' }).map((file) => join(HERE, file))
  return [...sources, join(TREE, 'package-lock.json')].every((file) => statSync(file).mtimeMs < madeAtMs)
}
