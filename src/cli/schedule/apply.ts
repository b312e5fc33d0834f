import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { ScheduleOptions } from '../../client/schedule-body.ts'
import type { Schedules } from '../../client/schedules.ts'
import { GoneError } from '../../errors.ts'
import { type Answer, type AskOptions, addAskOptions, ask, helpText } from '../ask.ts'
import type { Colors } from '../terminal.ts'
import type { PlannedStep } from './plan.ts'

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

Each schedule takes what the body of PUT /api/v1/schedules takes. The whole file
is checked before anything is changed. What is as the file has it stays
untouched. Schedules of these systems that are not in the file are kept, or
removed with --prune; other systems are never touched. Top-level members whose
names begin with "x-" are ignored, and hold anchors.`

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
  'the schedules are as the file says; with --dry-run: they were already',
  'with --dry-run: something would change',
]

async function apply(
  schedules: Schedules,
  path: string,
  options: ApplyOptions,
  colors: Colors,
): Promise<Answer> {
  const { dryRun = false, prune = false } = options
  const [{ readScheduleFile }, { planOf, stepText }, { summaryText }] = await Promise.all([
    import('./schedule-file.ts'),
    import('./plan.ts'),
    import('../text/plan-summary.ts'),
  ])
  const file = readScheduleFile(path === '-' ? 'stdin' : path, await textAt(path))
  const current = await Promise.all(file.systems.map((system) => schedules.list({ system })))
  const steps = planOf(file, current.flat(), { prune })
  if (!dryRun)
    await takeSteps(schedules, steps, (taken) =>
      showTaken(
        taken.map((step) => stepText(step, colors)),
        options,
      ),
    )
  const lines = steps.map((step) => stepText(step, colors))
  return {
    isDone: !dryRun || steps.every(({ kind }) => kind === 'kept'),
    text: [...lines, summaryText(steps, { isDone: !dryRun })].join('\n'),
    json: { isDryRun: dryRun, steps: steps.map(stepJson) },
  }
}

/** What was done before an error. */
function showTaken(lines: readonly string[], { json }: ApplyOptions): void {
  if (json) return
  for (const line of lines) process.stdout.write(`${line}\n`)
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
 * Takes the steps, some at a time; after an error none is begun.
 *
 * @param showTaken told before the error is thrown
 * @throws GoneError of the first step that failed
 */
async function takeSteps(
  schedules: Schedules,
  steps: readonly PlannedStep[],
  showTaken: (taken: readonly PlannedStep[]) => void,
): Promise<void> {
  const todo = steps.filter(({ kind }) => kind !== 'kept').values()
  const taken: PlannedStep[] = []
  const errors: unknown[] = []
  const takeOneByOne = async () => {
    for (const step of todo) {
      if (errors.length > 0) return
      await takeStep(schedules, step).then(
        () => taken.push(step),
        (error) => errors.push(error),
      )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, takeOneByOne))
  if (errors.length === 0) return
  showTaken(taken)
  throw errors[0]
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
