import { expect, it } from 'vitest'
import { type Module, modulesIn } from '../support/imports.ts'

/** The circles of imports, each as the way from a file back to itself; those that share files may be told as one. */
function circlesOf(modules: readonly Module[]): string[][] {
  const importsOf = new Map(modules.map(({ file, imports }) => [file, imports]))
  const done = new Set<string>()
  const circles: string[][] = []
  const follow = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file)
    if (start !== -1) circles.push([...way.slice(start), file])
    if (start !== -1 || done.has(file)) return
    for (const next of importsOf.get(file) ?? []) follow(next, [...way, file])
    done.add(file)
  }
  for (const { file } of modules) follow(file, [])
  return circles
}

it('has no circle of imports, not of types either', () => {
  const modules = modulesIn('src', 'workers', 'chaos', 'bench', 'test')
  // A file is in the list whether it imports anything or not, and most do.
  expect(modules.length).toBeGreaterThan(300)
  expect(modules.filter(({ imports }) => imports.length > 0).length).toBeGreaterThan(modules.length * 0.9)
  expect(circlesOf(modules)).toEqual([])
})

const tree = (imports: Readonly<Record<string, string>>): Module[] =>
  Object.entries(imports).map(([file, names]) => ({ file, imports: names.split(' ') }))

it.each([
  [{ a: 'b', b: 'c', c: 'd' }, []],
  [{ a: 'a' }, [['a', 'a']]],
  [{ a: 'b', b: 'a' }, [['a', 'b', 'a']]],
  [{ a: 'b c', b: 'd', c: 'd', d: 'fastify' }, []],
  [{ a: 'b', b: 'c', c: 'd', d: 'b' }, [['b', 'c', 'd', 'b']]],
  [
    { a: 'b', b: 'a', c: 'd', d: 'c' },
    [
      ['a', 'b', 'a'],
      ['c', 'd', 'c'],
    ],
  ],
])('of %o finds %o', (imports, circles) => {
  expect(circlesOf(tree(imports as Record<string, string>))).toEqual(circles)
})
