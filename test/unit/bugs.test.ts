import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BUGS } from '../../chaos/bugs.ts'
import { CLOCK_OF_A_KEY } from '../../chaos/scenarios/clocks.ts'
import { OTHER_BUILD, type Patch } from '../../chaos/tree.ts'
import { ROOT } from '../support/snippets.ts'

interface Copy {
  readonly name: string
  readonly patches: readonly Patch[]
}

const COPIES: readonly Copy[] = [
  ...BUGS,
  { name: 'the clock of a key', patches: CLOCK_OF_A_KEY },
  { name: 'another build', patches: OTHER_BUILD },
]

it.each(COPIES)('$name still has what it replaces, once in its file', ({ patches }) => {
  expect(patches.length).toBeGreaterThan(0)
  const found = patches.map(({ file, find }) => ({
    file,
    times: readFileSync(join(ROOT, file), 'utf8').split(find).length - 1,
  }))
  expect(found.filter(({ times }) => times !== 1)).toEqual([])
})
