import { expect, it, vi } from 'vitest'
import { orLater } from '../../src/service/or-later.ts'

const warn = vi.fn()

it('does it, and says nothing', async () => {
  const act = vi.fn(async () => 'done')
  await orLater({ warn }, { round: 'r' }, 'not done; the sweeper will', act)
  expect(act).toHaveBeenCalledOnce()
  expect(warn).not.toHaveBeenCalled()
})

it.each([
  ['rejects', () => Promise.reject(new Error('down'))],
  [
    'throws',
    () => {
      throw new Error('down')
    },
  ],
])('says what is not done and who will where it %s, and goes on', async (_, act) => {
  warn.mockClear()
  await orLater({ warn }, { round: 'r' }, 'not done; the sweeper will', act)
  expect(warn.mock.calls).toEqual([[{ round: 'r', cause: 'Error: down' }, 'not done; the sweeper will']])
})
