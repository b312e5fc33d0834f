import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { oldBuild } from '../../chaos/tree.ts'
import { ROOT } from '../support/snippets.ts'

const run = promisify(execFile)
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-release-'))
  await git('init', '-q', '-b', 'main')
  await writeFile(join(folder, 'package.json'), '{"name":"gone","version":"0.1.0"}\n')
  await writeFile(
    join(folder, 'CHANGELOG.md'),
    '# Changelog\n\n## Unreleased\n\n- It flies.\n\n## 0.1.0\n\n- It walks.\n',
  )
  await mkdir(join(folder, '.ci'))
  await writeFile(join(folder, '.ci/release'), await readFile(join(ROOT, '.ci/release')))
  await git('add', '.')
  await git('commit', '-qm', 'Begin')
})

afterEach(() => rm(folder, { recursive: true, force: true }))

const ME = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@b',
}
const env = { ...process.env, ...ME, TMPDIR: tmpdir() }
const git = async (...args: string[]) => (await run('git', args, { cwd: folder, env })).stdout.trim()
const release = (...args: string[]) =>
  run('bash', ['.ci/release', ...args], { cwd: folder, env }).then(
    ({ stdout }) => stdout,
    ({ stderr }: { stderr: string }) => stderr,
  )

it('commits the version with its changelog, tries it, and tags it', async () => {
  const said = await release('0.2.0', 'test -d')
  expect(said).toBe('v0.2.0 is committed and tagged. To publish it: git push --follow-tags\n')
  expect(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))).toMatchObject({ version: '0.2.0' })
  expect(await readFile(join(folder, 'CHANGELOG.md'), 'utf8')).toMatch(
    /^# Changelog\n\n## Unreleased\n\n## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n- It flies\.\n\n## 0\.1\.0\n/,
  )
  expect(await git('log', '-1', '--format=%s %D')).toBe('Release 0.2.0 HEAD -> main, tag: v0.2.0')
  expect(await git('tag', '-l', '--format=%(contents)', 'v0.2.0')).toBe('gone 0.2.0\n\n- It flies.')
  expect(await git('status', '--porcelain')).toBe('')
})

it('changes nothing where the tarball does not do', async () => {
  const before = await git('rev-parse', 'HEAD')
  expect(await release('0.2.0', 'false')).toContain('release: its tarball does not do; nothing was changed')
  expect([await git('rev-parse', 'HEAD'), await git('tag'), await git('status', '--porcelain')]).toEqual([
    before,
    '',
    '',
  ])
})

it.each([
  ['no version', 'soon', /^release: expected a version like 0\.2\.0, got "soon"/],
  ['an earlier one', '0.0.9', /^release: 0\.0\.9 comes before 0\.1\.0/],
])('refuses %s', async (_, version, said) => {
  expect(await release(version, 'true')).toMatch(said)
})

it('refuses changes that are not committed, another branch, and a version that says nothing', async () => {
  await release('0.2.0', 'true')
  expect(await release('0.2.0', 'true')).toMatch(/v0\.2\.0 is there already/)
  expect(await release('0.3.0', 'true')).toMatch(/says nothing of it under "## Unreleased"/)
  await writeFile(join(folder, 'new'), '')
  expect(await release('0.3.0', 'true')).toMatch(/not committed/)
  await git('add', '.')
  await git('commit', '-qm', 'More')
  await git('switch', '-qc', 'side')
  expect(await release('0.3.0', 'true')).toMatch(/made of main/)
})

it('has the chaos harness upgrade from the last release before this commit', async () => {
  expect(await oldBuild(folder)).toMatch(/^[0-9a-f]{7}$/)
  await release('0.2.0', 'true')
  await git('commit', '-qm', 'More', '--allow-empty')
  expect(await oldBuild(folder)).toBe('v0.2.0')
})
