import { fileURLToPath } from 'node:url'
import { compileConsole } from './compile.ts'

/** Before the tests of pages: makes what browsers load. */
export default async function setUp(): Promise<void> {
  await compileConsole(fileURLToPath(new URL('../..', import.meta.url)))
}
