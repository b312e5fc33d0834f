import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { completionsOf } from '../../src/cli/fleet/shell-completion.ts'
import { ShellHistory } from '../../src/cli/fleet/shell-history.ts'
import { wordsOf } from '../../src/cli/fleet/shell-words.ts'
import type { SelectionField } from '../../src/core/fleet/selection.ts'

describe('the words of a line', () => {
  it.each([
    ['', []],
    ['  instances  --json ', ['instances', '--json']],
    ['stop --reason "new disk"', ['stop', '--reason', 'new disk']],
    [
      `config set worker/a --config '{"a": "b c"}'`,
      ['config', 'set', 'worker/a', '--config', '{"a": "b c"}'],
    ],
    [`a"b c"d ''`, ['ab cd', '']],
  ])('of %j', (line, words) => {
    expect(wordsOf(line)).toEqual(words)
  })

  it('are none where a quotation has no end', () => {
    expect(() => wordsOf('stop --reason "new')).toThrow('expected a closing "')
  })
})

describe('a word', () => {
  const program = new Command()
  program.command('instances').option('--worker <worker>', '').option('--json', '')
  program.command('show')
  program.command('stop').option('--worker <worker>', '').option('--of <worker>', '')
  program.command('config').command('set').option('--attempts <n>', '')
  const names: Record<SelectionField, string[]> = {
    worker: ['mailer', 'map', 'report'],
    release: ['41', '42'],
    region: ['eu', 'us'],
    host: ['eu-a', 'eu-b'],
    pool: ['mail'],
    id: ['k3v9x2'],
    state: ['registered', 'lost'],
  }

  it.each([
    ['ins', ['instances '], 'ins'],
    ['re', ['region', 'release', 'reset'], 're'],
    ['worker ma', ['mailer', 'map'], 'ma'],
    ['worker mailer,r', ['mailer,report '], 'mailer,r'],
    ['worker mailer ', [], ''],
    ['pool ', ['mail '], ''],
    ['host eu', ['eu-a', 'eu-b'], 'eu'],
    ['state l', ['lost '], 'l'],
    ['show ', ['k3v9x2 '], ''],
    ['stop --worker rep', ['report '], 'rep'],
    ['stop --of ma', ['mailer', 'map'], 'ma'],
    ['instances --', ['--worker', '--json'], '--'],
    ['config s', ['set '], 's'],
    ['config set worker/ma', ['worker/mailer', 'worker/map'], 'worker/ma'],
    ['config set instance/', ['instance/k3v9x2 '], 'instance/'],
    ['config set worker/map --a', ['--attempts '], '--a'],
    ['help sh', ['show '], 'sh'],
    ['nonsense a', [], 'a'],
  ])('%j is completed', (line, completions, typed) => {
    expect(completionsOf(line, program.commands, (field) => names[field])).toEqual([completions, typed])
  })
})

describe('the history', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gone-history-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('is kept in a file that its owner alone reads, also where it was another', () => {
    const file = join(folder, 'deep', 'history')
    const history = new ShellHistory(file)
    for (const line of ['instances', 'instances', ' secret', '', 'hosts']) history.add(line)
    expect(readFileSync(file, 'utf8')).toBe('instances\nhosts\n')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    chmodSync(file, 0o644)
    expect(new ShellHistory(file).lines).toEqual(['instances', 'hosts'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('is of the last 500 lines', () => {
    const file = join(folder, 'history')
    writeFileSync(file, Array.from({ length: 600 }, (_, n) => `show ${n}\n`).join(''))
    expect(new ShellHistory(file).lines.at(0)).toBe('show 100')
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(501)
  })

  it('is done without where there can be no file', () => {
    const history = new ShellHistory('/dev/null/history')
    history.add('instances')
    expect(history.lines).toEqual([])
  })
})
