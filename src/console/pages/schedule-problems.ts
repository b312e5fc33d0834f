import type { Drawn } from './schedule-fields.ts'

/** What can be told without the server. */
export function problemsOf({ system, name, when, data, attempts }: Drawn): readonly string[] {
  return [
    system.trim() === '' && 'System: say which.',
    name.trim() === '' && 'Name: give it one.',
    when.trim() === '' && 'When: say it.',
    !isJson(data) && 'Data: this is no JSON.',
    attempts !== '' && !/^[1-9]\d{0,3}$/.test(attempts) && 'Attempts: a number from 1.',
  ].filter((one) => one !== false)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** How a problem of each field begins: as its label here, or as the server names the member. */
const BEGINS: readonly (readonly [keyof Drawn, RegExp])[] = [
  ['system', /^system\b/i],
  ['name', /^name\b/i],
  ['when', /^(?:when|cron|every|at)\b/i],
  ['zone', /^tz\b/],
  ['worker', /^job\.worker\b/],
  ['data', /^(?:data|job\.data)\b/i],
  ['attempts', /^(?:attempts|job\.attempts)\b/i],
  ['overlap', /^overlap\b/],
  ['grace', /^expect\b/],
]

/** Of each field what is wrong with it; what is of none is told beside the form alone. */
export function problemsByField(problems: readonly string[]): ReadonlyMap<keyof Drawn, string> {
  const found = new Map<keyof Drawn, string>()
  for (const problem of problems) {
    const field = BEGINS.find(([, begin]) => begin.test(problem))?.[0]
    if (field !== undefined && !found.has(field)) found.set(field, problem)
  }
  return found
}
