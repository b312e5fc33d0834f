import pc from 'picocolors'
import { expect, it } from 'vitest'
import { deathText, orderText } from '../../src/cli/fleet/fleet-tables.ts'
import { poolText } from '../../src/cli/fleet/pool-tables.ts'

const plain = pc.createColors(false)
const BAD = 'a\u001b[2Jb\u009b1mc\u202e'
const SHOWN = 'a\\u{1b}[2Jb\\u{9b}1mc\\u{202e}'

it.each([
  [
    'an order',
    orderText(
      {
        id: '1',
        do: 'stop',
        selection: 'all',
        actor: 'a',
        reason: BAD,
        givenAt: 't',
        until: 't',
        outcomes: {},
        instances: [{ id: 'i', outcome: 'failed', detail: BAD }],
      } as unknown as Parameters<typeof orderText>[0],
      plain,
    ),
  ],
  [
    'a death',
    deathText(
      {
        detail: BAD,
        cause: 'crash',
        livedMs: 1,
        lines: [BAD],
        memory: [],
        jobs: [],
      } as unknown as Parameters<typeof deathText>[0],
      [],
      plain,
    ),
  ],
  [
    'a pool',
    poolText(
      {
        name: 'p',
        instances: 1,
        working: 1,
        missing: 0,
        before: [],
        actor: 'a',
        at: 't',
        reason: BAD,
        rollout: { state: 'failed', why: BAD },
        places: [{ place: '0', host: 'h', region: 'r', state: 'waits', why: BAD }],
      } as unknown as Parameters<typeof poolText>[0],
      plain,
    ),
  ],
])('%s shows what others wrote without what moves the cursor', (_, text) => {
  expect(text).toContain(SHOWN)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  expect(text).not.toMatch(/[\u001b\u009b\u202e]/)
})
