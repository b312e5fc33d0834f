import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { modulesIn } from '../support/imports.ts'
import { ROOT } from '../support/snippets.ts'

interface Entry {
  readonly import: { readonly types: string; readonly default: string }
  readonly require: { readonly types: string; readonly default: string }
}

const { exports: entries, typesVersions } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, Entry>>
  readonly typesVersions: { readonly '*': Readonly<Record<string, readonly string[]>> }
}
const sourceOf = (built: string) => built.replace('./dist/', '').replace(/(?:\.d\.ts|\.js)$/, '.ts')

it.each(Object.entries(entries))('%s has a source, and types for all who ask', (name, entry) => {
  const source = sourceOf(entry.import.default)
  expect(existsSync(join(ROOT, source)), source).toBe(true)
  expect(sourceOf(entry.import.types)).toBe(source)
  expect(entry.require.default).toBe(entry.import.default)
  const typed = entry.require.types.replace('./dist/', '')
  expect(typed).toBe(source.replace(/\.ts$/, '.d.cts'))
  if (name !== '.') expect(typesVersions['*'][name.replace('./', '')]).toEqual([entry.import.types])
})

it.each(Object.values(entries))('$require.types declares each value of its module', async (entry) => {
  const text = readFileSync(join(ROOT, entry.require.types.replace('./dist/', '')), 'utf8')
  const declared = [...text.matchAll(/^export declare const (\w+): typeof \w+\.\1$/gm)].map(
    ([, name]) => name,
  )
  const module = (await import(join(ROOT, sourceOf(entry.import.default)))) as object
  expect(declared.sort()).toEqual(Object.keys(module).sort())
})

it('imports for a client alone nothing of Node and no package, while it runs', () => {
  const modules = new Map(modulesIn('src').map(({ file }) => [file, file] as const))
  const seen = new Set<string>()
  const open = ['src/client/only.ts']
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    for (const to of valuesOf(file)) {
      expect(modules.has(to), `${file} imports ${to}`).toBe(true)
      open.push(to)
    }
  }
  expect(seen.size).toBeGreaterThan(20)
})

/** What a file imports that is still there once its types are taken out. */
function valuesOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const statements = [
    ...text.matchAll(/^(?:import|export)\s+(?!type\b)(?:\{([^}]*)\}|[^'{]*)\s*from\s+'([^']+)'/gm),
  ]
  return statements
    .filter(
      ([, names]) =>
        names === undefined || names.split(',').some((name) => name.trim() && !/^\s*type\s/.test(name)),
    )
    .map(([, , from = '']) => (from.startsWith('.') ? join(file, '..', from) : from))
}
