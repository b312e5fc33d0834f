import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createClient } from '../../src/index.ts'
import { startTestServer } from '../support/server.ts'
import { blocksOf, putGoneIn, ROOT, runnable } from '../support/snippets.ts'
import { startCron } from './cron.ts'

it("the page's crontab does what it says under a real cron, which mails as the page says", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gone-cron-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const server = await startTestServer()
  await putGoneIn(folder, server.url)
  await writeFile(join(folder, 'send-report'), '#!/bin/sh\necho sent\n', { mode: 0o755 })
  // The same hour for all of them, also where one ends meanwhile.
  const date = '#!/bin/sh\nexec /bin/date -d 2026-11-22T08:00:00Z "$@"\n'
  await writeFile(join(folder, 'date'), date, { mode: 0o755 })

  const page = await readFile(join(ROOT, 'docs/migrate.md'), 'utf8')
  const [shown = ''] = blocksOf(page, 'crontab').filter((block) => block.includes('gone once'))
  const own = runnable(shown, server.url).replace('/usr/local/bin', folder).replace('0 8 * * *', '* * * * *')
  const [line = ''] = own.match(/^\* .*$/m) ?? []
  expect(line).toContain('\\%')
  const crontab = [
    `MAILTO=ops@example.com\nHOME=${folder}\n${own}`,
    // As on two more machines.
    line,
    line,
    // What the table of the page warns of.
    line.replaceAll('\\%', '%').replace('-s report', '-s unescaped'),
    `PATH=/usr/bin:/bin\n${line.replace('-s report', '-s nowhere')}`,
  ]
  const cron = await startCron(folder, `${crontab.join('\n')}\n`)
  onTestFinished(() => cron.stop())

  await expect.poll(async () => (await cron.mails()).length, { timeout: 120_000 }).toBeGreaterThanOrEqual(3)
  const client = createClient({ url: server.url })
  await expect
    .poll(async () =>
      (await client.rounds()).map(({ system, round, state }) => `${system} ${round} ${state}`),
    )
    .toEqual(['report 2026-11-22-08 completed'])
  const mails = await cron.mails()
  expect(new Set(mails.map(({ to }) => to))).toEqual(new Set(['ops@example.com']))
  // Whoever lost prints nothing, and nobody is mailed.
  expect(mails.filter(({ text }) => text.includes('sent'))).toHaveLength(1)
  const others = new Set(mails.map(({ text }) => text.trim()).filter((text) => text !== 'sent'))
  const trouble = [...others].map((text) => text.replace(/^\/bin\/sh: \d+: /, '')).sort()
  expect(trouble).toEqual([expect.stringMatching(/^Syntax error: /), 'gone: not found'])
}, 180_000)
