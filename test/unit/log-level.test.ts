import { expect, it } from 'vitest'
import { isAtLeast, LOG_LEVELS, levelIn, levelOf } from '../../src/core/fleet/log-level.ts'

const ESC = String.fromCharCode(27)

it.each([
  ['{"level":10,"msg":"a"}', 'trace'],
  ['{"level":20}', 'debug'],
  ['{"level":30,"time":1,"msg":"working"}', 'info'],
  ['{"level":35}', 'warn'],
  ['{"level":40}', 'warn'],
  ['{"msg":"x","level":50}', 'error'],
  ['{"level":60}', 'fatal'],
  ['{"level":90}', 'fatal'],
  ['{"level":3}', 'error'],
  ['{"level":0}', 'fatal'],
  ['{"level":6}', 'info'],
  ['{"level":7}', 'debug'],
  ['{"level":"warn","message":"winston"}', 'warn'],
  ['{"severity":"WARNING"}', 'warn'],
  ['{"log.level":"error"}', 'error'],
  ['{"levelname":"CRITICAL"}', 'fatal'],
  [`{"level":50,"msg":"${'x'.repeat(100)}`, 'error'],
  ['{"level":"warn","msg":"cut', 'warn'],
  ['{"msg":"no level","data":{"level":50}}', undefined],
  ['{"level":"loud"}', undefined],
  ['{"level":null}', undefined],
  ['{broken', undefined],
  ['time=2026-11-27T08:00:00Z level=warn msg="slow"', 'warn'],
  ['level="error" msg=x', 'error'],
  ['2026-11-27 08:00:00,123 WARN [main] com.example - slow', 'warn'],
  ['2026-11-27T08:00:00.000Z [error] no disk', 'error'],
  ['[main] 2026-11-27 ERROR x', 'error'],
  ['WARNING:root:low', 'warn'],
  ['Error: ENOENT', 'error'],
  ['info server started', 'info'],
  [`${ESC}[33mWARN${ESC}[39m yellow`, 'warn'],
  ['CRIT | no power', 'fatal'],
  ['alert sent to the operator', undefined],
  ['there was an error in it', undefined],
  ['https://example.com/ERROR', undefined],
  ['', undefined],
])('reads %s as %s', (text, level) => {
  expect(levelIn(text)).toBe(level)
})

it('counts what says nothing as information, and as an error where it came by stderr', () => {
  expect(levelOf({ text: 'hello', isError: false })).toBe('info')
  expect(levelOf({ text: '    at main.js:1:2', isError: true })).toBe('error')
  expect(levelOf({ text: '{"level":30}', isError: true })).toBe('info')
})

it('orders levels', () => {
  for (const [n, level] of LOG_LEVELS.entries())
    expect(LOG_LEVELS.filter((least) => isAtLeast(level, least))).toEqual(LOG_LEVELS.slice(0, n + 1))
})
