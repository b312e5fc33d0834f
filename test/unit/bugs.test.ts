import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BUGS } from '../../chaos/bugs.ts'
import { CLOCK_OF_A_KEY } from '../../chaos/scenarios/clocks.ts'
import { OTHER_BUILD } from '../../chaos/tree.ts'
import { ROOT } from '../support/snippets.ts'

it('finds the text of every seeded bug, and of what else is run in a copy, once in its file', () => {
  const copies = [
    { name: 'the clock of a key', patches: CLOCK_OF_A_KEY },
    { name: 'another build', patches: OTHER_BUILD },
  ]
  const patches = [...BUGS, ...copies].flatMap(({ name, patches }) =>
    patches.map((patch) => ({ name, ...patch })),
  )
  expect(patches.length).toBeGreaterThanOrEqual(BUGS.length)
  const found = patches.map(({ name, file, find }) => ({
    name,
    file,
    times: readFileSync(join(ROOT, file), 'utf8').split(find).length - 1,
  }))
  expect(found.filter(({ times }) => times !== 1)).toEqual([])
})
