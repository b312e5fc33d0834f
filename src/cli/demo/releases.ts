import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JOURNAL, POOL_WORKER, RELEASES } from './protocol.ts'

const WORK_MS = 1_000
const SLOTS = 2
const LEAK_BYTES = 4_194_304
const LEAK_EVERY_MS = 250

/** What the worker of the demo is in a release: it works for a second, and writes down that it begins and ends. */
const GOOD = `import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const journal = new URL('../../${JOURNAL}', import.meta.url)
const leaked = []

async function handler({ data }, { round, fence, signal }) {
  const note = (what) => appendFileSync(journal, [what, round, fence, process.pid].join(' ') + '\\n')
  note('start')
  if (data.leaks) setInterval(() => leaked.push(Buffer.alloc(${LEAK_BYTES}, 1)), ${LEAK_EVERY_MS})
  await sleep(${WORK_MS}, undefined, { signal })
  note('end')
}

export default { options: { concurrency: ${SLOTS} }, handler }
`
const BAD = `throw new Error('this release does not start')\n`

/** Puts a release where the hosts of the demo allow some. */
export function putRelease(dataDir: string, release: string, isGood: boolean): void {
  const folder = join(dataDir, RELEASES, release)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${POOL_WORKER}.mjs`), isGood ? GOOD : BAD)
}
