import { describe, expect, it } from 'vitest'
import type { Instance } from '../../src/core/fleet/instance.ts'
import { isEmpty, readSelection, selects } from '../../src/core/fleet/selection.ts'

const mail: Instance = {
  id: 'mail1',
  workers: [
    { name: 'mailer', slots: 4 },
    { name: 'report', slots: 1 },
  ],
  release: '41',
  region: 'eu',
  host: 'eu-a.example.com',
  pid: 1,
  version: '0.1.0',
  mode: 'registered',
  startedAtMs: 1,
  change: 1,
}
const us: Instance = {
  ...mail,
  place: '2',
  id: 'us1',
  region: 'us',
  host: 'us-a',
  release: '42',
  mode: 'unregistered',
}
const lost: Instance = { ...mail, id: 'lost1', end: { kind: 'lost', atMs: 2 } }
const ended: Instance = { ...mail, id: 'ended1', end: { kind: 'ended', atMs: 2 } }
const stuck: Instance = { ...mail, id: 'stuck1', stuckSinceMs: 1, place: 'mail/12' }
const fleet = [mail, us, lost, ended, stuck]

const SELECTED: readonly (readonly [Record<string, string>, readonly string[]])[] = [
  [{}, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'mailer' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'report' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'mail' }, []],
  [{ worker: 'mail*' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: '*port' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'm*r' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'Mailer' }, []],
  [{ worker: 'webhook,report' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'webhook' }, []],
  [{ worker: '*' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ region: 'eu' }, ['mail1', 'lost1', 'stuck1']],
  [{ region: 'us' }, ['us1']],
  [{ region: 'eu,us' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ region: ' eu , us ' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ region: 'e*' }, ['mail1', 'lost1', 'stuck1']],
  [{ region: 'e' }, []],
  [{ release: '41' }, ['mail1', 'lost1', 'stuck1']],
  [{ release: '4*' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ release: '4' }, []],
  [{ host: 'eu-a.example.com' }, ['mail1', 'lost1', 'stuck1']],
  [{ host: 'eu-a*' }, ['mail1', 'lost1', 'stuck1']],
  [{ host: 'eu-a.example.co?' }, []],
  [{ host: 'eu-a.*.com' }, ['mail1', 'lost1', 'stuck1']],
  [{ host: '*example*' }, ['mail1', 'lost1', 'stuck1']],
  [{ host: '*a' }, ['us1']],
  [{ host: 'euXa.example.com' }, []],
  [{ pool: 'mail' }, ['stuck1']],
  [{ pool: 'm*' }, ['stuck1']],
  [{ pool: '*' }, ['stuck1']],
  [{ pool: '2' }, []],
  [{ pool: 'mail/12' }, []],
  [{ id: 'mail1' }, ['mail1']],
  [{ id: 'mail1,us1' }, ['mail1', 'us1']],
  [{ id: '*1' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ id: 'mail' }, []],
  [{ state: 'registered' }, ['mail1']],
  [{ state: 'unregistered' }, ['us1']],
  [{ state: 'lost' }, ['lost1']],
  [{ state: 'ended' }, ['ended1']],
  [{ state: 'stuck' }, ['stuck1']],
  [{ state: 'stopping' }, []],
  [{ state: 'registered,stuck' }, ['mail1', 'stuck1']],
  [{ state: 'ended,lost' }, ['lost1', 'ended1']],
  [{ region: 'eu', state: 'registered' }, ['mail1']],
  [{ region: 'us', state: 'registered' }, []],
  [{ region: 'us', release: '42', worker: 'mailer', host: 'us-*', state: 'unregistered' }, ['us1']],
  [{ region: 'us', release: '41' }, []],
  [{ id: 'ended1' }, []],
  [{ id: 'ended1', state: 'ended' }, ['ended1']],
  [{ worker: 'mailer,mailer' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: '__proto__' }, []],
  [{ worker: 'constructor' }, []],
  [{ worker: '*a*' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: '**' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: 'mailer*' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ worker: '*mailer*report*' }, []],
  [{ worker: 'mail.r' }, []],
  [{ worker: 'mailer|report' }, []],
  [{ region: 'eu', host: 'us-*' }, []],
  [{ region: '*', release: '*', host: '*', worker: '*', id: '*' }, ['mail1', 'us1', 'lost1', 'stuck1']],
  [{ id: '*', state: 'ended' }, ['ended1']],
  [{ id: 'mail1,mail1,nobody' }, ['mail1']],
  [{ id: 'MAIL1' }, []],
  [{ state: ' lost , stuck ' }, ['lost1', 'stuck1']],
  [
    { state: 'registered,unregistered,stopping,stuck,lost,ended' },
    ['mail1', 'us1', 'lost1', 'ended1', 'stuck1'],
  ],
]

const REFUSED: readonly (readonly [Record<string, string>, string])[] = [
  [{ wroker: 'mailer' }, 'wroker: instances are selected by worker, release, region, host, pool, id, state'],
  [{ workers: 'mailer' }, 'workers: instances'],
  [{ pid: '4711' }, 'pid: instances'],
  [{ __proto__: 'x', toString: 'x' }, 'toString: instances'],
  [
    { state: 'registred' },
    'state: expected some of registered, unregistered, stopping, unresponsive, stopped, crash-looping, stuck, lost, died, ended, got "registred"',
  ],
  [{ state: 'Registered' }, 'got "Registered"'],
  [{ state: 'reg*' }, 'got "reg*"'],
  [{ state: '*' }, 'got "*"'],
  [{ worker: '' }, 'worker: expected names such as mailer or mail-*, separated by commas, got ""'],
  [{ worker: ',' }, 'got ","'],
  [{ worker: 'mailer,' }, 'got "mailer,"'],
  [{ worker: 'a b' }, 'got "a b"'],
  [{ host: 'a\nb' }, 'got "a\\nb"'],
  [{ region: 'x'.repeat(129) }, 'region: expected names'],
  [
    { id: Array.from({ length: 101 }, (_, index) => `i${index}`).join(',') },
    'id: expected at most 100 names, got 101',
  ],
]

describe('a selection', () => {
  it.each(SELECTED)('%j selects %j', (given, expected) => {
    const selection = readSelection(given)
    expect(fleet.filter((one) => selects(selection, one)).map(({ id }) => id)).toEqual(expected)
  })

  it.each(REFUSED)('%j is refused', (given, message) => {
    expect(() => readSelection(given)).toThrow(message)
  })

  it('is empty where nothing was said', () => {
    expect(isEmpty(readSelection({ worker: undefined }))).toBe(true)
    expect(isEmpty(readSelection({ worker: '*' }))).toBe(false)
  })
})
