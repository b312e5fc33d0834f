import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSafe } from 'redos-detector'
import { describe, expect, it } from 'vitest'
import { regularExpressionsIn } from '../support/regular-expressions.ts'

/** All that sees what callers, jobs and receivers have written. */
const FOLDERS = [
  'src/core',
  'src/service',
  'src/store',
  'src/queue',
  'src/gate',
  'src/hook',
  'src/http',
  'workers',
]
const MAX_STEPS_BACK = 10

/** Those that the detector cannot tell from bad ones, and why their work is linear after all. */
const LINEAR: Readonly<Record<string, string>> = {
  '\\{(\\w+)\\}': 'a name has no brace, so that each begins one attempt; and the paths are ours',
  ':\\d+$': 'digits have no colon, so that each is looked at once',
  '<link href="https:[^>]{1,1000}>':
    'the page is the board’s own, and an attempt looks at 1,000 characters at most',
  ' style="[^"]{1,1000}"': 'the page is the board’s own, and an attempt looks at 1,000 characters at most',
  '<style>[^<]{1,1000}<\\/style>':
    'the page is the board’s own, and an attempt looks at 1,000 characters at most',
  '\\.0*[1-9]': 'a number has one point, so that there is one attempt',
  '~.*$': 'entries have no line break, so that the first attempt succeeds',
}

const expressions = new Map(
  FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((file) => join(folder, file))
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        regularExpressionsIn(readFileSync(file, 'utf8')).map(
          ({ source, flags }) => [source, { file, expression: new RegExp(source, flags) }] as const,
        ),
      ),
  ),
)

describe('the work of a regular expression grows with its input, and not with its square', () => {
  it('is found in every file', () => {
    expect(expressions.size).toBeGreaterThan(40)
    expect(regularExpressionsIn(`a = b / c / d; e.test(/[/"]\\//g, \`\${f / g}/x/\`)`)).toEqual([
      { source: '[/"]\\/', flags: 'g' },
    ])
    expect(isSafe(/"(?:[^"\\]|\\.)*"/gs, { maxScore: MAX_STEPS_BACK, timeout: 5_000 }).safe).toBe(false)
  })

  it.each([...expressions])('%s', (source, { file, expression }) => {
    if (source in LINEAR) return
    const { safe, score, error } = isSafe(expression, { maxScore: MAX_STEPS_BACK, timeout: 5_000 })
    expect({ file, safe, error }, JSON.stringify(score)).toEqual({ file, safe: true, error: null })
  })
})
