import { expect, it, vi } from 'vitest'
import { OldJobsWatch, oldJobsText } from '../../src/queue/old-jobs-watch.ts'
import type { OldQueue } from '../../src/queue/old-queues.ts'
import { notedLog } from '../support/noted-log.ts'

const queue = (name: string, pending: number, active = 0, ended = 0): OldQueue => ({
  name,
  pending,
  active,
  ended,
})

it('says how many jobs are where older builds kept them, and of which queues most', () => {
  expect(oldJobsText([])).toBeUndefined()
  expect(oldJobsText([queue('mail', 0, 0, 7)])).toBeUndefined()
  expect(oldJobsText([queue('mail', 1)])).toMatch(/^1 job is where .* \(1 of mail\), which only/)
  const many = ['a', 'b', 'c', 'd', 'e'].map((name, n) => queue(name, n, 1))
  expect(oldJobsText(many)).toMatch(/^15 jobs are where .* \(5 of e, 4 of d, 3 of c and of 2 more queues\), /)
})

it('warns once as long as there are some, and says that none are left', async () => {
  const { log, lines } = notedLog()
  const looks = [[queue('mail', 2)], [queue('mail', 1)], []]
  vi.useFakeTimers()
  try {
    const watch = new OldJobsWatch(async () => looks.shift() ?? [], log)
    watch.start()
    await vi.advanceTimersByTimeAsync(1)
    expect(watch.warning).toMatch(/^2 jobs/)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(watch.warning).toBeUndefined()
    expect(lines).toEqual([
      expect.stringMatching(/^warn 2 jobs are where older builds/),
      'info no jobs are left where older builds kept queues',
    ])
    const stopped = watch.stop()
    await vi.advanceTimersByTimeAsync(1)
    await stopped
  } finally {
    vi.useRealTimers()
  }
})
