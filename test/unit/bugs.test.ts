import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BUGS } from '../../chaos/bugs.ts'
import { ROOT } from '../support/snippets.ts'

it('finds the text of every seeded bug once in its file', () => {
  const patches = BUGS.flatMap(({ name, patches }) => patches.map((patch) => ({ name, ...patch })))
  expect(patches.length).toBeGreaterThanOrEqual(BUGS.length)
  const found = patches.map(({ name, file, find }) => ({
    name,
    file,
    times: readFileSync(join(ROOT, file), 'utf8').split(find).length - 1,
  }))
  expect(found.filter(({ times }) => times !== 1)).toEqual([])
})
