import type { Result } from './runner.ts'
import { FLEET_MIX } from './scenarios/fleet-mix.ts'
import { MIX } from './scenarios/mix.ts'
import type { Bite } from './teeth.ts'

const NUMBER = new Intl.NumberFormat('en')

/** The table of docs/chaos.md. */
export function asMarkdown(results: readonly Result[]): string {
  const head = [
    '| scenario | what it proves | rounds | calls | no answer | faults | double leaders | lost answers | silent rounds | s |',
    '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|',
  ]
  return [...head, ...results.map(row)].join('\n')
}

function row({ scenario, counts, isGood, couldNotRun, tookMs }: Result): string {
  const { rounds, calls, unknown, faults, doubleLeaders, lostAnswers, silentRounds } = counts
  const name = isGood
    ? `\`${scenario.name}\``
    : `**\`${scenario.name}\` ${couldNotRun ? 'could not run' : 'failed'}**`
  const cells = [
    rounds,
    calls,
    unknown,
    faults,
    doubleLeaders,
    lostAnswers,
    silentRounds,
    Math.round(tookMs / 1_000),
  ]
  return `| ${name} | ${scenario.proves} | ${cells.map((cell) => NUMBER.format(cell)).join(' | ')} |`
}

/** The table of the README: what has to hold, over all of it. */
export function totalsAsMarkdown(results: readonly Result[], bites: readonly Bite[]): string {
  const kept = results.filter(({ scenario, couldNotRun }) => !couldNotRun && scenario.breaks === undefined)
  const mixes = kept.filter(({ scenario }) => scenario === MIX)
  const fleets = kept.filter(({ scenario }) => scenario === FLEET_MIX)
  const directed = kept.filter(({ scenario }) => scenario !== MIX && scenario !== FLEET_MIX)
  const lines = [
    '| | runs | rounds | calls | faults | double leaders | lost answers | silent rounds |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...(directed.length > 0 ? [totalRow('directed scenarios', directed)] : []),
    ...(mixes.length > 0 ? [totalRow('faults drawn by lot', mixes)] : []),
    ...(fleets.length > 0 ? [totalRow('a fleet under 200 jobs/s, faults drawn by lot', fleets)] : []),
  ]
  return [...lines, ...(bites.length > 0 ? ['', biteSummary(bites)] : [])].join('\n')
}

function totalRow(what: string, results: readonly Result[]): string {
  const sum = (count: keyof Result['counts']) =>
    NUMBER.format(results.reduce((total, { counts }) => total + counts[count], 0))
  const cells = (['rounds', 'calls', 'faults', 'doubleLeaders', 'lostAnswers', 'silentRounds'] as const).map(
    sum,
  )
  return `| ${[what, NUMBER.format(results.length), ...cells].join(' | ')} |`
}

/** What has to hold, in a line; what is not survived is counted apart. */
export function summary(results: readonly Result[], bites: readonly Bite[]): string {
  return [
    ...(results.length > 0 ? [scenarioSummary(results)] : []),
    ...(bites.length > 0 ? [biteSummary(bites)] : []),
  ].join('\n')
}

function biteSummary(bites: readonly Bite[]): string {
  return `${bites.filter(({ isCaught }) => isCaught).length} of ${bites.length} bugs caught.`
}

function scenarioSummary(results: readonly Result[]): string {
  const run = results.filter(({ couldNotRun }) => !couldNotRun)
  const kept = run.filter(({ scenario }) => scenario.breaks === undefined)
  const sum = (count: keyof Result['counts']) => kept.reduce((total, { counts }) => total + counts[count], 0)
  const shown = run.length - kept.length
  const notRun = results.length - run.length
  return (
    `${kept.length} scenarios of what is survived: ${NUMBER.format(sum('rounds'))} rounds, ${NUMBER.format(sum('calls'))} calls, ` +
    `${sum('faults')} faults: ${sum('doubleLeaders')} double leaders, ${sum('lostAnswers')} lost answers, ` +
    `${sum('silentRounds')} silent rounds, ${sum('others')} other violations. ` +
    `${shown} of what is not survived.` +
    (notRun > 0 ? ` ${notRun} could not be run.` : '')
  )
}

export function resultsAsJson(results: readonly Result[]): object[] {
  return results.map(
    ({ scenario, seed, isGood, couldNotRun, violations, counts, tookMs, remarks, trouble }) => ({
      scenario: scenario.name,
      proves: scenario.proves,
      isSurvived: scenario.breaks === undefined,
      seed,
      isGood,
      couldNotRun,
      tookMs: Math.round(tookMs),
      ...counts,
      remarks,
      violations,
      ...(trouble !== undefined && { trouble }),
    }),
  )
}

/** One line as a scenario ends, and why where it did not go well. */
export function asLines(result: Result): string[] {
  const { scenario, isGood, counts, tookMs, violations, history, seed, remarks, trouble } = result
  const { rounds, calls, unknown, leaders, faults } = counts
  if (result.couldNotRun) return [`NOT RUN ${scenario.name}: ${trouble}`]
  const word = isGood ? (scenario.breaks ? 'shown' : 'ok') : 'FAILED'
  const first =
    `${word.padEnd(6)} ${scenario.name.padEnd(24)} ${(tookMs / 1_000).toFixed(1)} s  ` +
    `${rounds} rounds, ${leaders} leaders, ${calls} calls, ${unknown} without an answer, ${faults} faults`
  const begin = [first, ...remarks.map((remark) => `       note: ${remark}`)]
  if (isGood) return begin
  return [
    ...begin,
    ...(trouble === undefined ? [] : [`       ${trouble}`]),
    ...violations.slice(0, 12).map(({ rule, what }) => `       ${rule}: ${what}`),
    ...(violations.length > 12 ? [`       and ${violations.length - 12} more`] : []),
    ...(scenario.breaks && violations.length === 0
      ? [`       expected to be broken: ${scenario.breaks.join(', ')}`]
      : []),
    `       history: ${history}`,
    `       repeat:  npm run chaos -- --scenario ${scenario.name} --seed ${seed}`,
  ]
}

/** The table of the bugs that the harness was given. */
export function bitesAsMarkdown(bites: readonly Bite[]): string {
  return [
    '| bug | what it is | caught by | rules broken | s |',
    '|---|---|---|---|---:|',
    ...bites.map(({ bug, isCaught, rules, tookMs }) => {
      const caught = isCaught ? `\`${bug.caughtBy}\`` : '**not caught**'
      return `| \`${bug.name}\` | ${bug.about} | ${caught} | ${rules.join(', ')} | ${Math.round(tookMs / 1_000)} |`
    }),
  ].join('\n')
}

export function bitesAsJson(bites: readonly Bite[]): object[] {
  return bites.map(({ bug, isCaught, rules, example, tookMs }) => ({
    bug: bug.name,
    about: bug.about,
    scenario: bug.caughtBy,
    isCaught,
    rules,
    example,
    tookMs: Math.round(tookMs),
  }))
}

export function biteAsLines({ bug, isCaught, rules, example, tookMs, seed }: Bite): string[] {
  const seconds = `${(tookMs / 1_000).toFixed(1)} s`
  if (isCaught)
    return [`caught ${bug.name.padEnd(24)} ${seconds}  by ${bug.caughtBy}: ${rules.join(', ')}; ${example}`]
  return [
    `MISSED ${bug.name.padEnd(24)} ${seconds}  by ${bug.caughtBy}: ${example}`,
    `       repeat:  npm run chaos -- --teeth ${bug.name} --seed ${seed}`,
  ]
}
