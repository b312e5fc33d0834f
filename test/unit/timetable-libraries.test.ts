import { CronExpressionParser } from 'cron-parser'
import { Cron, type CronOptions } from 'croner'
import { beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_DST, Timetable } from '../../src/core/time/timetable.ts'
import { rememberFormats } from '../support/remember-formats.ts'
import { transitionsOf, type ZoneTransition } from '../support/zones.ts'

// Two libraries that many replicas fire by, and what becomes of their times when clocks are set on or back. Each is
// described by a model that is held against it: whatever is not in the models would fail here. docs/schedules.md says
// the same in words, so who keeps one of these libraries knows when its instants are not those of our slots.

beforeAll(rememberFormats)

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MAX_RUNS = 1_000

/** Zones whose clocks shift by an hour, at 1, 2 or 3 o'clock, at midnight, or around Ramadan. */
const HOUR_ZONES = [
  'Africa/Cairo',
  'Africa/Casablanca',
  'Africa/Juba',
  'America/Havana',
  'America/New_York',
  'America/Santiago',
  'America/Sao_Paulo',
  'Asia/Beirut',
  'Asia/Gaza',
  'Asia/Tehran',
  'Europe/Berlin',
  'Europe/London',
]
/** And by half an hour or two. */
const OTHER_ZONES = ['America/Caracas', 'Antarctica/Troll', 'Asia/Pyongyang', 'Australia/Lord_Howe']

const FIXED = ['30 2 * * *', '30 1 * * *', '30 0 * * *', '0 0 * * *', '15 3 * * *', '0 0 1-31/2 * *']
const FIXED_LISTS = ['0,30 1 * * *', '0,30 2 * * *', '15 0-5 * * *', '30 1-2 * * *', '30 2-3 * * *']
/** Fixed by the rule of Vixie cron, which is ours. */
const FIXED_STEPS = ['0-59/20 1 * * *', '0-59/20 2 * * *', '*/20 30 1 * * *', '*/20 30 2 * * *']
const RHYTHMS = [
  '*/30 1 * * *',
  '*/30 2 * * *',
  '* 1 * * *',
  '* 0-3 * * *',
  '*/15 0-4/2 * * *',
  '30 * * * *',
  '0 */2 * * *',
  '15 */3 * * *',
  '0 * * * *',
  '*/30 * * * *',
]
const EXPRESSIONS = [...FIXED, ...FIXED_LISTS, ...FIXED_STEPS, ...RHYTHMS]

type Instants = readonly number[]

function ours(cron: string, tz: string, fromMs: number, untilMs: number): Instants {
  const slots = new Timetable({ cron, tz, dst: DEFAULT_DST }).between(fromMs, untilMs, MAX_RUNS)
  return slots.map(({ dueMs }) => dueMs)
}

function croner(
  cron: string,
  tz: string,
  fromMs: number,
  untilMs: number,
  options: CronOptions = {},
): Instants {
  const job = new Cron(cron, { timezone: tz, mode: '5-or-6-parts', ...options })
  const runs: number[] = []
  let run = job.nextRun(new Date(fromMs))
  while (run && run.getTime() <= untilMs && runs.length < MAX_RUNS) {
    runs.push(run.getTime())
    run = job.nextRun(run)
  }
  return runs
}

/** Undefined where it throws. */
function cronParser(cron: string, tz: string, fromMs: number, untilMs: number): Instants | undefined {
  const job = CronExpressionParser.parse(cron, { tz, currentDate: new Date(fromMs) })
  const runs: number[] = []
  try {
    for (;;) {
      const runMs = job.next().getTime()
      if (runMs > untilMs || runs.length >= MAX_RUNS) return runs
      runs.push(runMs)
    }
  } catch {
    return undefined
  }
}

interface Model {
  /** What a time in a gap becomes: nothing, a run at the end of the gap, or one so much later as the gap is long. */
  readonly gap: 'skip' | 'end' | 'later'
  /** Whether several that come to the same instant are several runs. */
  readonly isEachRun?: boolean
  readonly overlap: 'first' | 'second' | 'both'
}

/** The instants in (from, until] of the wall times, where one transition is near. */
function byModel(
  walls: Instants,
  transition: ZoneTransition,
  model: Model,
  [fromMs, untilMs]: Span,
): Instants {
  const { atMs, beforeMs, afterMs } = transition
  const instants = walls.flatMap((wallMs) => {
    const [before, after] = [wallMs - beforeMs, wallMs - afterMs]
    const halves = [...(before < atMs ? [before] : []), ...(after >= atMs ? [after] : [])]
    if (halves.length === 0) return { skip: [], end: [atMs], later: [before] }[model.gap]
    if (halves.length === 1 || model.overlap === 'both') return halves
    return [model.overlap === 'first' ? before : after]
  })
  const runs = (model.isEachRun ? instants : [...new Set(instants)]).sort((a, b) => a - b)
  return runs.filter((ms) => ms > fromMs && ms <= untilMs)
}

type Span = readonly [fromMs: number, untilMs: number]

const spanOf = ({ atMs }: ZoneTransition): Span => [atMs - 5 * HOUR_MS - 1, atMs + 6 * HOUR_MS]

/** The wall times as such, from a clock that is never set. */
function wallsOf(cron: string, transition: ZoneTransition): Instants {
  const [fromMs, untilMs] = spanOf(transition)
  const { beforeMs, afterMs } = transition
  const span = [fromMs + Math.min(beforeMs, afterMs) - 1_000, untilMs + Math.max(beforeMs, afterMs)] as const
  const key = [cron, ...span].join()
  const walls = knownWalls.get(key) ?? croner(cron, 'UTC', ...span)
  knownWalls.set(key, walls)
  return walls
}
const knownWalls = new Map<string, Instants>()

const isGap = ({ beforeMs, afterMs }: ZoneTransition) => afterMs > beforeMs
const minuteAndHour = (cron: string) => cron.split(' ').slice(-5, -3)
const isFixed = (cron: string) => !minuteAndHour(cron).some((field) => field.startsWith('*'))

const OURS = (cron: string): Model =>
  isFixed(cron)
    ? { gap: 'end', isEachRun: true, overlap: 'first' }
    : { gap: 'skip', isEachRun: true, overlap: 'both' }

/** Steps, and a wildcard second, make a rhythm; several times in one gap are one run. */
const CRONER_NO_WILDCARD = (cron: string): Model =>
  FIXED_STEPS.includes(cron) || !isFixed(cron)
    ? { gap: 'skip', overlap: 'both' }
    : { gap: 'end', overlap: 'first' }

/** By default lists and ranges of hours and minutes make a rhythm too. */
const CRONER = (cron: string): Model =>
  FIXED.includes(cron) ? { gap: 'end', overlap: 'first' } : { gap: 'skip', overlap: 'both' }

/**
 * Whatever falls into a gap runs later by its length, rhythms too. In an overlap that which is not each hour runs once: in
 * the first half, or in the second where the overlap is at the begin of a day.
 */
const CRON_PARSER = (cron: string, { atMs, afterMs }: ZoneTransition): Model => {
  const [, hour] = minuteAndHour(cron)
  if (hour === '*') return { gap: 'later', overlap: 'both' }
  const isAtMidnight = new Date(atMs + afterMs).getUTCHours() === 0
  return { gap: 'later', overlap: isAtMidnight ? 'second' : 'first' }
}

/** The last gaps and the last overlaps of the zone by 2027. */
function someTransitionsOf(zone: string, count: number): readonly ZoneTransition[] {
  const all = transitionsOf(zone, Date.UTC(2016, 0, 1), Date.UTC(2027, 0, 1))
  return [...all.filter(isGap).slice(-count), ...all.filter((transition) => !isGap(transition)).slice(-count)]
}

/** @returns how often the instants that were found around the zones' transitions are not ours, by the class of the difference */
function compare(
  zones: readonly string[],
  find: (cron: string, tz: string, span: Span) => Instants | undefined,
  model: ((cron: string, transition: ZoneTransition) => Model) | undefined,
  count = 2,
): Map<string, number> {
  const differences = new Map<string, number>()
  for (const zone of zones) {
    for (const transition of someTransitionsOf(zone, count)) {
      const span = spanOf(transition)
      for (const cron of EXPRESSIONS) {
        const where = `${cron} in ${zone} at ${new Date(transition.atMs).toISOString()}`
        const walls = wallsOf(cron, transition)
        const found = find(cron, zone, span)
        const slots = byModel(walls, transition, OURS(cron), span)
        expect(ours(cron, zone, ...span), where).toEqual(slots)
        if (model) expect(found, where).toEqual(byModel(walls, transition, model(cron, transition), span))
        if (JSON.stringify(found) === JSON.stringify(slots)) continue
        const key = `${isGap(transition) ? 'gap' : 'overlap'} ${found === undefined ? 'throws' : classOf(cron)}`
        differences.set(key, (differences.get(key) ?? 0) + 1)
      }
    }
  }
  return differences
}

function classOf(cron: string): string {
  if (FIXED.includes(cron)) return 'fixed'
  if (FIXED_LISTS.includes(cron)) return 'list'
  return FIXED_STEPS.includes(cron) ? 'step' : 'rhythm'
}

const classes = (differences: Map<string, number>) => [...differences.keys()].sort()

describe('where clocks are set on or back', () => {
  it('croner with fixedTimeRule no-wildcard differs in two known ways', () => {
    const find = (cron: string, tz: string, span: Span) =>
      croner(cron, tz, ...span, { fixedTimeRule: 'no-wildcard' })
    const differences = compare([...HOUR_ZONES, ...OTHER_ZONES], find, CRONER_NO_WILDCARD)
    expect(classes(differences)).toEqual(['gap list', 'gap step', 'overlap step'])
  })

  it('croner as it is by default differs in lists and ranges too', () => {
    const find = (cron: string, tz: string, span: Span) => croner(cron, tz, ...span)
    const differences = compare([...HOUR_ZONES, ...OTHER_ZONES], find, CRONER)
    expect(classes(differences)).toEqual(['gap list', 'gap step', 'overlap list', 'overlap step'])
  })

  it('cron-parser differs in three known ways where clocks shift by an hour', () => {
    const differences = compare(HOUR_ZONES, (cron, tz, span) => cronParser(cron, tz, ...span), CRON_PARSER)
    expect(classes(differences)).toEqual([
      'gap fixed',
      'gap list',
      'gap rhythm',
      'gap step',
      'overlap fixed',
      'overlap list',
      'overlap rhythm',
    ])
  })

  it('cron-parser goes wrong, or gives up, where clocks shift by less or more than an hour', () => {
    const differences = compare(OTHER_ZONES, (cron, tz, span) => cronParser(cron, tz, ...span), undefined, 1)
    expect(classes(differences)).toContain('overlap throws')
    expect(classes(differences)).toContain('gap rhythm')
  })
})

describe('where no clock is set', () => {
  const PLAIN = [
    ...EXPRESSIONS,
    '0 8 * * MON-FRI',
    '0 8 * * 1-5',
    '0 0 1,15 * *',
    '0 0 L * *',
    '0 0 31 * *',
    '0 0 29 2 *',
    '5 4 * JAN,jul SUN',
    '0 12 13 * FRI',
    '0 12 1 * 0',
    '0 12 * * 7',
    '0 9 * * MON#2',
    '0 9 * * 5#5',
    '0 9 * * 5L',
    '10-40/10 6-18/4 */5 * *',
    '15 10 * * * *',
    '*/7 * * * *',
    '0 0 * * 6,0',
    '59 23 31 12 *',
    '@hourly',
    '@daily',
    '@weekly',
    '@monthly',
    '@yearly',
  ]
  const NOT_OF_CRON_PARSER = [
    '@annually',
    '@midnight',
    '0 0 LW * *',
    '0 0 15W * *',
    '0 0 1W * *',
    '0 0 31W 1-6 *',
  ]
  const ZONES = ['UTC', 'Asia/Kathmandu', 'America/Phoenix']
  const STARTS = [2016, 2023, 2027, 2035].map((year) => Date.UTC(year, 1, 27, 13, 17, 23, 456))

  it.each(PLAIN)('%s is the same to croner, cron-parser and us', (cron) => {
    for (const tz of ZONES) {
      for (const startMs of STARTS) {
        const slots = new Timetable({ cron, tz, dst: DEFAULT_DST }).between(
          startMs,
          startMs + 9_999 * DAY_MS,
          40,
        )
        const instants = slots.map(({ dueMs }) => dueMs)
        const span = [startMs, instants.at(-1) as number] as const
        expect(croner(cron, tz, ...span), `croner ${tz}`).toEqual(instants)
        expect(cronParser(cron, tz, ...span), `cron-parser ${tz}`).toEqual(instants)
      }
    }
  })

  it.each(NOT_OF_CRON_PARSER)('%s, which cron-parser does not take, is the same to croner and us', (cron) => {
    for (const startMs of STARTS) {
      const slots = new Timetable({ cron, tz: 'UTC', dst: DEFAULT_DST }).between(
        startMs,
        startMs + 9_999 * DAY_MS,
        40,
      )
      const instants = slots.map(({ dueMs }) => dueMs)
      expect(croner(cron, 'UTC', startMs, instants.at(-1) as number)).toEqual(instants)
    }
  })
})
