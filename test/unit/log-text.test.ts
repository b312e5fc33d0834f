import { expect, it } from 'vitest'
import { logText } from '../../src/log-text.ts'

const AT = new Date(2026, 10, 22, 8, 5, 9).getTime()
const text = (fields: object) =>
  logText(false)(JSON.stringify({ time: AT, pid: 1, hostname: 'h', name: 'gone', ...fields }))

it.each([
  [{ level: 30, msg: 'listening' }, '08:05:09 info  listening\n'],
  [{ level: 20, msg: 'answered', status: 202, ms: 3 }, '08:05:09 debug answered  status=202 ms=3\n'],
  [
    { level: 40, msg: 'away', cause: 'connect ECONNREFUSED' },
    '08:05:09 warn  away  cause="connect ECONNREFUSED"\n',
  ],
  [{ level: 30, msg: 'working', workers: ['hello', 'mail'] }, '08:05:09 info  working  workers=hello,mail\n'],
  [{ level: 30, msg: 'round', round: 'clean~2026' }, '08:05:09 info  round  round=clean~2026\n'],
  [{ level: 30, msg: 'empty', list: [], nothing: null }, '08:05:09 info  empty  list= nothing=null\n'],
  [{ level: 30, msg: 'a', data: { b: 1 } }, '08:05:09 info  a  data={"b":1}\n'],
  [
    { level: 50, msg: 'stopping', err: { message: 'no', stack: 'Error: no\n    at x (y:1)' } },
    '08:05:09 error stopping\n    Error: no\n    at x (y:1)\n',
  ],
  // What comes from outside moves no cursor and starts no line.
  [{ level: 30, msg: 'x', reason: 'a\u001b[2Jb' }, '08:05:09 info  x  reason=a\\u{1b}[2Jb\n'],
  [{ level: 30, msg: 'failed: a\nb' }, '08:05:09 info  failed: a\\u{a}b\n'],
])('makes of %j a line for people', (fields, line) => {
  expect(text(fields)).toBe(line)
})

it('colours the level where there are colours', () => {
  expect(logText(true)(JSON.stringify({ level: 50, time: AT, msg: 'x' }))).toContain(
    '\u001b[31merror\u001b[39m',
  )
})
