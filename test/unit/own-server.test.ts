import { describe, expect, it } from 'vitest'
import { ownServer } from '../../src/cli/server-options.ts'
import { wait } from '../../src/http/parameters.ts'

describe('the server that commands ask', () => {
  it.each([
    [{}, 'http://127.0.0.1:8080'],
    [{ GONE_PORT: '9000' }, 'http://127.0.0.1:9000'],
    [{ GONE_PORT: ' 9000 ' }, 'http://127.0.0.1:9000'],
    [{ GONE_PORT: '' }, 'http://127.0.0.1:8080'],
    [{ GONE_HOST: '10.0.0.5', GONE_PORT: '9000' }, 'http://10.0.0.5:9000'],
    [{ GONE_HOST: '0.0.0.0' }, 'http://127.0.0.1:8080'],
    [{ GONE_HOST: '::', GONE_PORT: '9000' }, 'http://[::1]:9000'],
    [{ GONE_HOST: 'fd00::5' }, 'http://[fd00::5]:8080'],
    [{ GONE_HOST: 'localhost' }, 'http://localhost:8080'],
    // What Kubernetes writes for a Service of this name.
    [{ GONE_PORT: 'tcp://10.96.0.7:8080' }, 'http://127.0.0.1:8080'],
  ])('is the one that %j starts', (env, url) => {
    expect(ownServer(env)).toBe(url)
  })
})

describe('a wait', () => {
  it.each([
    ['0', 0],
    ['25s', 25_000],
    ['49999ms', 49_999],
    ['50s', 50_000],
    ['51s', 50_000],
    ['1m', 50_000],
  ])('of %s is answered within the time that proxies give', (text, ms) => {
    expect(wait.parse(text, 'wait')).toBe(ms)
  })

  it.each(['61s', '2m', '-1s', 'soon'])('of %s is refused', (text) => {
    expect(() => wait.parse(text, 'wait')).toThrow(
      /^wait: expected a duration like 30s or 10m, from 0 ms to 1 min/,
    )
  })
})
