import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../support/snippets.ts'

const FOLDER = join(ROOT, '.github/workflows')

it.each(readdirSync(FOLDER))('%s names what it uses by commit: a tag may be moved', (file) => {
  const used = readFileSync(join(FOLDER, file), 'utf8').match(/uses: .*/g) ?? []
  expect(used.length).toBeGreaterThan(0)
  for (const one of used) expect(one).toMatch(/^uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
})
