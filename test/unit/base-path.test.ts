import { describe, expect, it } from 'vitest'
import { isBasePath, withoutBasePath } from '../../src/base-path.ts'
import { ownServer } from '../../src/cli/server-options.ts'
import { readConfig } from '../../src/config.ts'

describe('a base path', () => {
  it.each(['/gone', '/tools/gone', '/a', '/v1.2/gone', '/~team/g', '/apis', '/board-of-ours'])(
    'may be %s',
    (path) => {
      expect(isBasePath(path)).toBe(true)
      expect(readConfig({ GONE_BASE_PATH: path }).basePath).toBe(path)
      expect(ownServer({ GONE_BASE_PATH: path, GONE_PORT: '9000' })).toBe(`http://127.0.0.1:9000${path}`)
    },
  )

  it.each([
    'gone',
    '/',
    '/gone/',
    '//gone',
    '/a//b',
    '/a/../b',
    '/api',
    '/board/x',
    '/docs',
    '/expectations',
    '/a b',
    '/a?b',
    '/%67one',
    'https://x/gone',
  ])('is refused as %j', (path) => {
    expect(() => readConfig({ GONE_BASE_PATH: path })).toThrow(
      /^GONE_BASE_PATH: expected a path such as \/gone[^\n]*, got "[^\n]*"$/,
    )
  })

  it.each([
    ['/gone', '/'],
    ['/gone/', '/'],
    ['/gone?a=/gone', '/?a=/gone'],
    ['/gone/api/v1/elect/a/b?wait=1s', '/api/v1/elect/a/b?wait=1s'],
    ['/gone/gone/x', '/gone/x'],
    ['/goner/x', '/goner/x'],
    ['/api/v1/elect/a/gone', '/api/v1/elect/a/gone'],
    ['/GONE/x', '/GONE/x'],
    ['/', '/'],
  ])('of %s leaves %s', (asked, left) => {
    expect(withoutBasePath(asked, '/gone')).toBe(left)
    expect(withoutBasePath(asked, '')).toBe(asked)
  })
})
