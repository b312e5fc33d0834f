import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { ScheduleOptions } from '../../client/schedule-body.ts'
import type { Schedules } from '../../client/schedules.ts'
import { GoneError } from '../../errors.ts'
import { type Answer, type AskOptions, addAskOptions, ask, helpText } from '../ask.ts'
import type { Colors } from '../terminal.ts'
import { countsText, type PlannedStep, planOf, stepText } from './plan.ts'

interface ApplyOptions extends AskOptions {
  readonly dryRun?: boolean
  readonly prune?: boolean
}

const HELP = `
The file is YAML (or JSON); of several systems there are several documents:

  system: cleaner
  schedules:
    nightly: { cron: "0 2 * * *", tz: Europe/Berlin, job: { worker: hello } }
    hourly: { every: 1h, overlap: skip, job: { worker: hello, attempts: 3 } }
  ---
  system: report
  schedules: { ... }

Each schedule takes what the body of PUT /api/v1/schedules takes. The whole file is checked
before anything is changed. What is as the file has it stays untouched. Schedules of these
systems that are not in the file are kept, or removed with --prune; other systems are never
touched. Top-level members whose names begin with "x-" are ignored, and hold anchors.`

/** `gone schedule apply`: makes a file the truth. */
export function addApply(schedule: Command): void {
  const command = schedule
    .command('apply')
    .description('make the schedules of some systems what a file says, and show what that changes')
    .argument('<file>', 'YAML; - reads standard input')
    .option('--dry-run', 'change nothing, only show what would change')
    .option('--prune', 'remove schedules of the systems in the file that are not in it')
  addAskOptions(command)
    .addHelpText('after', `${HELP}\n${helpText(EXAMPLES, MEANINGS)}`)
    .action((file: string, options: ApplyOptions) =>
      ask(options, ({ schedules }, colors) => apply(schedules, file, options, colors)),
    )
}

const EXAMPLES = [
  'gone schedule apply schedules.yaml --dry-run',
  'gone schedule apply schedules.yaml --prune',
  'gone schedule apply - < schedules.yaml',
]
const MEANINGS = [
  'the schedules are as the file says; with --dry-run: there is nothing to change',
  'with --dry-run: something would change',
]

async function apply(
  schedules: Schedules,
  path: string,
  { dryRun = false, prune = false }: ApplyOptions,
  colors: Colors,
): Promise<Answer> {
  const { readScheduleFile } = await import('./schedule-file.ts')
  const file = readScheduleFile(path === '-' ? 'stdin' : path, await textAt(path))
  const current = await Promise.all(file.systems.map((system) => schedules.list({ system })))
  const steps = planOf(file, current.flat(), { prune })
  if (!dryRun) await takeSteps(schedules, steps)
  const count = steps.filter(({ kind }) => kind !== 'kept').length
  return {
    isDone: !dryRun || count === 0,
    text: [...steps.map((step) => stepText(step, colors)), summary(steps, count, dryRun)].join('\n'),
    json: { isDryRun: dryRun, steps: steps.map(stepJson) },
  }
}

function summary(steps: readonly PlannedStep[], count: number, dryRun: boolean): string {
  if (count === 0) return 'nothing to change'
  return `${countsText(steps, !dryRun)}${dryRun ? '; nothing is changed by --dry-run' : ''}`
}

function stepJson(step: PlannedStep): object {
  const { kind, system, name } = step
  return { kind, system, name, ...(step.kind === 'changed' && { members: step.members }) }
}

async function textAt(path: string): Promise<string> {
  if (path === '-') return textOf(process.stdin)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const reason =
      code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`
    throw new GoneError('CONFIG', `${path}: ${reason}`, { cause })
  }
}

const AT_ONCE = 8

/**
 * Takes the steps, some at a time; what comes after an error is not begun.
 *
 * @throws GoneError of the first step that failed, which says how many were taken
 */
async function takeSteps(schedules: Schedules, steps: readonly PlannedStep[]): Promise<void> {
  const todo = steps.filter(({ kind }) => kind !== 'kept').values()
  const trouble: unknown[] = []
  let taken = 0
  const takeOneByOne = async () => {
    for (const step of todo) {
      if (trouble.length > 0) return
      try {
        await takeStep(schedules, step)
        taken += 1
      } catch (error) {
        trouble.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, takeOneByOne))
  const [error] = trouble
  if (error instanceof GoneError && taken > 0)
    throw new GoneError(
      error.code,
      `${error.message} (before that: ${taken} changed; apply again to go on)`,
      {
        cause: error,
      },
    )
  if (error) throw error
}

async function takeStep(schedules: Schedules, step: PlannedStep): Promise<void> {
  const { system, name } = step
  if (step.kind === 'removed') await schedules.remove(system, name)
  if (step.kind !== 'added' && step.kind !== 'changed') return
  const { inFile } = await import('./schedule-file.ts')
  await schedules.put(system, name, step.wanted.body as ScheduleOptions).catch((error: unknown) => {
    const isItsFault = error instanceof GoneError && error.status === 400
    throw isItsFault ? inFile(step.wanted, error) : error
  })
}
