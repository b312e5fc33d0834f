import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { bundle } from './bundle.ts'
import { compile, compileTo } from './compile.ts'

const TREE = fileURLToPath(new URL('../..', import.meta.url))

/** Before all tests: compiles and bundles what they start as processes, see `program.ts`; and returns what removes it. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const built = await compile(TREE)
  await bundle(built)
  // Test processes inherit it.
  process.env.BUILT_TREE = built
  // A newer Node keeps there what it has compiled of that, for the next that starts it.
  process.env.NODE_COMPILE_CACHE = join(built, '.cache')
  project.onTestsRerun(async () => {
    await compileTo(built, TREE)
    await bundle(built)
  })
  return () => rm(built, { recursive: true, force: true })
}
