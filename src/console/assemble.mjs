// Makes the console as browsers take it: one script and one style sheet, which go into each page.
// node src/console/assemble.mjs [folder]; without a folder for this tree's own servers, and only what is not newest already.
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
import { build } from 'esbuild'

const HERE = dirname(fileURLToPath(import.meta.url))
const TREE = resolve(HERE, '../..')
/** In this order: what comes later says more. */
const STYLES = ['tokens', 'base', 'parts', 'pages']
const PREACT = dirname(createRequire(import.meta.url).resolve('preact/package.json'))

const [asked] = process.argv.slice(2)
const folder = resolve(asked ?? join(TREE, '.built/console'))
if (asked !== undefined || !isNewest()) await assemble()

async function assemble() {
  const made = `${folder}-${process.pid}`
  rmSync(made, { recursive: true, force: true })
  mkdirSync(made, { recursive: true })
  const shared = { minify: true, charset: 'utf8', write: false, logLevel: 'warning' }
  const script = await build({
    ...shared,
    entryPoints: [join(HERE, 'main.tsx')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    banner: { js: `/*! Preact\n${readFileSync(join(PREACT, 'LICENSE'), 'utf8').trim()}\n*/` },
    plugins: [
      {
        name: 'preact',
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/preact\.js$/ }, () => ({ path: join(PREACT, 'dist/preact.mjs') })),
      },
    ],
  })
  const css = STYLES.map((name) => readFileSync(join(HERE, `style/${name}.css`), 'utf8')).join('\n')
  const style = await build({ ...shared, stdin: { contents: css, loader: 'css' } })
  for (const [name, { outputFiles }] of [
    ['main.js', script],
    ['style.css', style],
  ]) {
    const { text } = outputFiles[0]
    // They stand within a page: nothing in them may look like its end.
    if (/<\/(?:script|style)|<!--/i.test(text)) throw new Error(`${name} has what ends a part of a page`)
    writeFileSync(join(made, name), text)
  }
  for (const icon of ['icon.svg', 'icon-bad.svg']) copyFileSync(join(HERE, 'style', icon), join(made, icon))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  renameSync(made, folder)
}

function isNewest() {
  const made = join(folder, 'style.css')
  if (!existsSync(made)) return false
  const madeAtMs = statSync(made).mtimeMs
  const sources = readdirSync(HERE, { recursive: true, encoding: 'utf8' }).map((file) => join(HERE, file))
  return [...sources, join(TREE, 'package-lock.json')].every((file) => statSync(file).mtimeMs < madeAtMs)
}
