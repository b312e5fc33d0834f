import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../support/snippets.ts'

/** What git does not keep, or what is no place for code. */
const NOT_CODE = ['node_modules', 'dist', 'docs', 'coverage', 'test-results']

const foldersIn = (path: string) =>
  readdirSync(join(ROOT, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !NOT_CODE.includes(entry.name))
    .map(({ name }) => name)

it('names every folder of the tree in the README, and none that is not there', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const table = /\| folder \| what \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(readme)?.[1] ?? ''
  const named = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
  const there = [
    ...foldersIn('src').map((name) => `src/${name}`),
    ...foldersIn('.').filter((name) => name !== 'src'),
  ]
  expect(named.sort()).toEqual(there.sort())
})

it.each(['docs/architecture.md', 'docs/console.md', 'docs/fleet.md', 'CONTRIBUTING.md', 'README.md'])(
  'names no file of the tree in %s that is not there',
  (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8')
    const named = [...text.matchAll(/`((?:src|test|workers|chaos|bench|docs)\/[\w./-]*\w)`/g)].map(
      ([, path]) => path as string,
    )
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  },
)

it('knows every name of code that docs/words.md gives', () => {
  const text = readFileSync(join(ROOT, 'docs/words.md'), 'utf8')
  const code = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
    .join('\n')
  const cells = [...text.matchAll(/^\|[^|]*\|[^|]*\|([^|]*)\|/gm)].map(([, cell]) => cell as string)
  const names = cells.flatMap((cell) =>
    [...cell.matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name as string),
  )
  expect(names.length).toBeGreaterThan(50)
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([])
})

it('has no file of the console that is too long to be read in one go', () => {
  const files = readdirSync(join(ROOT, 'src/console'), { recursive: true, encoding: 'utf8' })
  const code = files.filter((file) => /\.(?:tsx?|mjs)$/.test(file))
  const lines = (file: string) =>
    readFileSync(join(ROOT, 'src/console', file), 'utf8')
      .trimEnd()
      .split('\n').length
  expect(code.length).toBeGreaterThan(50)
  expect(code.filter((file) => lines(file) > 200)).toEqual([])
})
