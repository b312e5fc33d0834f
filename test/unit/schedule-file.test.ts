import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readScheduleFile } from '../../src/cli/schedule/schedule-file.ts'

const read = (text: string) => readScheduleFile('f.yaml', text)

describe('a schedule file', () => {
  it('has schedules of one system', () => {
    const file = read(
      'system: cleaner\nschedules:\n  nightly: { cron: "0 2 * * *", job: { worker: hello } }\n',
    )
    expect(file.systems).toEqual(['cleaner'])
    expect(file.schedules).toMatchObject([
      {
        system: 'cleaner',
        name: 'nightly',
        body: { cron: '0 2 * * *', job: { worker: 'hello' } },
        full: { cron: '0 2 * * *', tz: 'UTC', overlap: 'allow', job: { worker: 'hello', data: null } },
      },
    ])
  })

  it('has a document for each of several systems, also one without schedules', () => {
    const file = read('---\nsystem: a\nschedules: { x: { every: 1h } }\n---\nsystem: b\nschedules: {}\n---\n')
    expect(file.systems).toEqual(['a', 'b'])
    expect(file.schedules.map(({ system, name }) => `${system}/${name}`)).toEqual(['a/x'])
  })

  it('may be JSON', () => {
    expect(read('{"system": "a", "schedules": {"x": {"every": "1h"}}}').schedules).toHaveLength(1)
  })

  it('may share what schedules have in common', () => {
    const { schedules } = read(
      'x-all: &all { tz: Europe/Berlin, job: { worker: hello } }\nsystem: a\nschedules:\n' +
        '  one: { <<: *all, cron: "0 2 * * *" }\n  two: { <<: *all, every: 1h, tz: UTC }\n',
    )
    expect(schedules.map(({ body }) => body)).toEqual([
      { tz: 'Europe/Berlin', job: { worker: 'hello' }, cron: '0 2 * * *' },
      { tz: 'UTC', job: { worker: 'hello' }, every: '1h' },
    ])
  })

  it('takes a time as a text, as the body of a PUT does', () => {
    expect(read('system: a\nschedules: { x: { at: 2027-01-01T08:00:00Z } }').schedules[0]?.body).toEqual({
      at: '2027-01-01T08:00:00Z',
    })
  })

  it('is as the docs have it', () => {
    const docs = readFileSync(new URL('../../docs/schedules.md', import.meta.url), 'utf8')
    const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(docs) ?? []
    expect(read(example)).toMatchObject({
      systems: ['cleaner', 'report'],
      schedules: [{ name: 'nightly', full: { tz: 'Europe/Berlin' } }, { name: 'sweep' }],
    })
  })

  it('knows the line of each member', () => {
    const [schedule] = read(
      'system: a\nschedules:\n  x:\n    every: 1h\n    job:\n      attempts: 3\n',
    ).schedules
    expect(
      ['', 'every', 'job', 'job.attempts', 'job.data', 'tz'].map((name) => schedule?.where(name)),
    ).toEqual(['f.yaml:3', 'f.yaml:4', 'f.yaml:5', 'f.yaml:6', 'f.yaml:5', 'f.yaml:3'])
  })
})

const SCHEDULES = 'system: a\nschedules:\n'

describe('a mistake in a schedule file', () => {
  it.each([
    ['nothing', '', 'f.yaml:1: expected "system" and "schedules", got nothing'],
    ['only comments', '# soon\n', 'f.yaml:1: expected "system" and "schedules", got nothing'],
    ['a list', '- a\n', 'f.yaml:1: expected a map, got a list'],
    ['no schedules', 'system: a\n', 'f.yaml:1: schedules: expected a map of schedules, got nothing'],
    ['no system', 'schedules: {}\n', 'f.yaml:1: system: expected a name, got nothing'],
    ['a number', 'system: 5\nschedules: {}', 'f.yaml:1: system: expected a name, got 5'],
    ['a bad system', 'system: a/b\nschedules: {}', 'f.yaml:1: system: must not contain "/", got "a/b"'],
    [
      'another member',
      'system: a\nschedule: {}',
      'f.yaml:2: "schedule": expected "system", "schedules" or a name from "x-"',
    ],
    [
      'a system twice',
      'system: a\nschedules: {}\n---\nsystem: a\nschedules: {}',
      'f.yaml:4: system: "a" has its schedules in line 1',
    ],
    ['a list of schedules', 'system: a\nschedules: []', 'f.yaml:2: schedules: expected a map, got a list'],
    [
      'a bad name',
      `${SCHEDULES}  a/b: { every: 1h }`,
      'f.yaml:3: a/a/b: name: must not contain "/", got "a/b"',
    ],
    [
      'a name twice',
      `${SCHEDULES}  x: { every: 1h }\n  x: { every: 2h }`,
      'f.yaml:4: not YAML: Map keys must be unique, in "x: { every: 2h }"',
    ],
    ...[
      '9007199254740993',
      '+9007199254740993',
      '0x20000000000001',
      '1e400',
      '-.inf',
      '.nan',
      '12345678901234567.',
    ].map((number): [string, string, string] => [
      `the number ${number}`,
      `${SCHEDULES}  x: { every: 1h, job: { data:\n    { id: ${number} } } }`,
      `f.yaml:4: ${number} cannot be kept exactly as a number; expected one that a double keeps, or a text, in quotes`,
    ]),
    ['no map', `${SCHEDULES}  x: 5`, 'f.yaml:3: a/x: expected a map, got 5'],
    [
      'no time',
      `${SCHEDULES}  x:\n    tz: UTC`,
      'f.yaml:3: a/x: cron, every, at: expected exactly one of them, got none',
    ],
    [
      'a bad zone',
      `${SCHEDULES}  x:\n    every: 1h\n    tz: Europe/Brelin`,
      'f.yaml:5: a/x: tz: expected a time zone like Europe/Berlin, got "Europe/Brelin"',
    ],
    [
      'a number as a duration',
      `${SCHEDULES}  x:\n    every: 60`,
      'f.yaml:4: a/x: every: expected a duration like "30s" or "10m", from 1 s to 366 d, got 60',
    ],
    [
      'a member of the job',
      `${SCHEDULES}  x:\n    every: 1h\n    job:\n      worker: hello\n      attempts: 0`,
      'f.yaml:7: a/x: job.attempts: expected an integer from 1 to 100, got 0',
    ],
    [
      'an empty job',
      `${SCHEDULES}  x:\n    every: 1h\n    job:\n`,
      'f.yaml:5: a/x: job: expected an object, got null',
    ],
    [
      'an unknown member',
      `${SCHEDULES}  x:\n    every: 1h\n    worker: hello`,
      'f.yaml:5: a/x: "worker": no such member; a schedule takes: cron, every, at, tz, dst, jitter, catchUp, ' +
        'overlap, startAt, endAt, job, expect',
    ],
    [
      'an expression without quotes',
      `${SCHEDULES}  x:\n    cron: * * * * *`,
      'f.yaml:4: not YAML: Alias cannot be an empty string, in "cron: * * * * *"; a value that begins with "*" ' +
        'needs quotes',
    ],
    [
      'an unknown anchor',
      `${SCHEDULES}  x: { every: 1h, job: *all }`,
      'f.yaml:3: a/x: Unresolved alias (the anchor must be set before the alias): all',
    ],
    ['a tab', `${SCHEDULES}\tx: 1`, 'f.yaml:3: not YAML: Tabs are not allowed as indentation, in "x: 1"'],
  ])('names its line and field: %s', (_, text, message) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ name: 'GoneError', code: 'CONFIG', message }))
  })
})
