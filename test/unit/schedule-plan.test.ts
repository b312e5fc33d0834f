import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import { planOf, stepText } from '../../src/cli/schedule/plan.ts'
import { readScheduleFile } from '../../src/cli/schedule/schedule-file.ts'
import { summaryText } from '../../src/cli/text/plan-summary.ts'
import type { ScheduleBody, ScheduleJson } from '../../src/core/schedules/schedule-wire.ts'
import { shownSchedule } from '../support/shown-schedule.ts'

const plain = pc.createColors(false)

const fileOf = (schedules: Readonly<Record<string, ScheduleBody>>) =>
  readScheduleFile('f.yaml', JSON.stringify({ system: 'a', schedules }))

/** What an apply of these to those says. */
function said(
  schedules: Readonly<Record<string, ScheduleBody>>,
  current: readonly ScheduleJson[],
  { prune = false, isDone = true } = {},
): string[] {
  const steps = planOf(fileOf(schedules), current, { prune })
  return [...steps.map((step) => stepText(step, plain)), summaryText(steps, { isDone })]
}

const NIGHTLY: ScheduleBody = { cron: '0 2 * * *', tz: 'Europe/Berlin', job: { worker: 'hello' } }

describe('a plan', () => {
  it('adds what there is not', () => {
    expect(said({ nightly: NIGHTLY, hourly: { every: '1h', job: { data: { a: 1 } } } }, [])).toEqual([
      '+ a/nightly: 0 2 * * * in Europe/Berlin, hello',
      '+ a/hourly: every 1h, a {"a":1}',
      '2 added',
    ])
  })

  it('leaves alone what is as it should be, however it is written', () => {
    const written: ScheduleBody = {
      every: '60m',
      overlap: 'allow',
      catchUp: { max: 10 },
      startAt: '2026-11-22T08:00:00+01:00',
      job: { data: { a: 1, b: 2 } },
    }
    const stands: ScheduleBody = {
      every: '1h',
      tz: 'UTC',
      jitter: '0s',
      dst: { gap: 'run-after' },
      startAt: '2026-11-22T07:00:00Z',
      job: { data: { b: 2, a: 1 }, worker: 'a' },
    }
    expect(said({ x: written }, [shownSchedule('a', 'x', stands)])).toEqual(['nothing to change'])
  })

  it('does not mind that a schedule is paused', () => {
    const paused = shownSchedule('a', 'nightly', NIGHTLY, { isPaused: true })
    expect(said({ nightly: NIGHTLY }, [paused])).toEqual(['nothing to change'])
  })

  it('changes the members that differ, and names no others', () => {
    const wanted: ScheduleBody = {
      ...NIGHTLY,
      cron: '0 3 * * *',
      job: { worker: 'hello', data: { names: ['Ada'] }, backoff: { type: 'fixed', delay: '10s' } },
      expect: { grace: '5m' },
    }
    const stands: ScheduleBody = { ...NIGHTLY, overlap: 'skip', job: { worker: 'hello', attempts: 3 } }
    expect(said({ nightly: wanted }, [shownSchedule('a', 'nightly', stands)])).toEqual([
      [
        '~ a/nightly',
        '    cron: "0 2 * * *" -> "0 3 * * *"',
        '    overlap: "skip" -> "allow"',
        '    job.data: null -> {"names":["Ada"]}',
        '    job.attempts: 3 -> none',
        '    job.backoff: none -> {"type":"fixed","delay":"10s"}',
        '    expect.grace: none -> "5m"',
      ].join('\n'),
      '1 changed',
    ])
  })

  it('changes a cron to an interval', () => {
    const [step] = said({ x: { every: '1h' } }, [shownSchedule('a', 'x', { cron: '@hourly' })])
    expect(step).toBe('~ a/x\n    cron: "@hourly" -> none\n    every: none -> "1h"')
  })

  it('keeps what the file does not have, and removes it only with --prune', () => {
    const current = [shownSchedule('a', 'x', { every: '1h' }), shownSchedule('a', 'y', { every: '1h' })]
    expect(said({}, current)).toEqual([
      '  a/x: kept, not in the file',
      '  a/y: kept, not in the file',
      'nothing to change; 2 kept (--prune removes them)',
    ])
    expect(said({}, current, { prune: true })).toEqual(['- a/x', '- a/y', '2 removed'])
    expect(said({}, current, { prune: true, isDone: false }).at(-1)).toBe(
      '2 to remove; nothing changed by --dry-run',
    )
  })

  it('takes schedules of one name in two systems apart', () => {
    const other = shownSchedule('b', 'nightly', NIGHTLY)
    expect(planOf(fileOf({ nightly: NIGHTLY }), [other], { prune: false }).map(({ kind }) => kind)).toEqual([
      'added',
      'kept',
    ])
  })

  it('shows no more of long values than fits a line', () => {
    const data = 'x'.repeat(1_000)
    const [added = ''] = said({ x: { every: '1h', job: { data } } }, [])
    const [changed = ''] = said({ x: { every: '1h', job: { data } } }, [
      shownSchedule('a', 'x', { every: '1h' }),
    ])
    expect(added.length).toBeLessThan(100)
    expect(changed.split('\n')[1]?.length).toBeLessThan(100)
  })
})
