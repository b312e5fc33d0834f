import { isAbsolute } from 'node:path'
import type { Command } from 'commander'
import { given } from './ask.ts'
import { tellWithoutInit } from './first-process.ts'
import { between } from './option-values.ts'
import { addLimits, LIMIT_FLAGS, type LimitOptions, limitsIn } from './work-limits.ts'

interface WorkOptions extends LimitOptions {
  readonly only?: string
  readonly redis?: string
  readonly release?: string
  readonly region?: string
  readonly hostLabel?: string
  readonly instances?: number
  readonly pools?: number
  readonly releases?: string
  readonly probe?: number
}

/** What only a supervisor can do. */
const FLAGS = { probe: '--probe', ...LIMIT_FLAGS }
const SUPERVISORS = Object.keys(FLAGS) as (keyof typeof FLAGS)[]

/** `gone work`: workers that take submitted rounds from their queues. */
export function addWork(program: Command): void {
  const command = program
    .command('work')
    .description('run workers: one file each, named as the queue that it serves')
    .argument('[folder]', 'where the workers are; without it the ones that come with gone')
    .option('--only <names>', 'only these workers, comma-separated')
    .option('--redis <url>', "the servers' Redis (REDIS_URL; else that of a server started in this folder)")
    .option('--release <release>', 'what release of yours these are, for the fleet (GONE_RELEASE)')
    .option('--region <region>', 'where they run, for the fleet (GONE_REGION)')
    .option('--host-label <host>', "on what host, for the fleet (GONE_HOST_LABEL; else the machine's name)")
    .option(
      '--instances <number>',
      'a supervisor that keeps so many processes of them running',
      between(1, 1_000),
    )
    .option(
      '--pools <most>',
      'a supervisor that runs what the pools of the fleet have it run, at most so many processes',
      between(1, 1_000),
    )
    .option(
      '--releases <root>',
      'with --pools: they run releases, each a folder in this one; [folder] is where in it the workers are',
    )
    .option(
      '--probe <port>',
      'with --instances: answer health checks on this port of 127.0.0.1',
      between(0, 65_535),
    )
  addLimits(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ gone work ./workers\n  $ REDIS_URL=redis://redis:6379 gone work --only webhook,shell\n' +
        '  $ gone work ./workers --instances 3 --memory 512m --probe 9090\n' +
        '  $ gone work workers --pools 8 --releases /srv/releases\n\n' +
        'Exit codes:\n  0  stopped by a signal, and drained\n' +
        '  1  stopped before it was drained: at a second signal, or after GONE_SHUTDOWN\n' +
        '  2  a worker does not load, or the configuration is wrong\n' +
        '  75 ended by an order to be started again (gone fleet restart)',
    )
    .action(work)
}

async function work(folder: string | undefined, options: WorkOptions, command: Command): Promise<void> {
  const { only, redis, release, region, hostLabel, instances, pools } = options
  const mistake = mistakeIn(options, folder)
  if (mistake !== undefined) command.error(`error: ${mistake}`)
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...given({ REDIS_URL: redis, GONE_RELEASE: release, GONE_REGION: region, GONE_HOST_LABEL: hostLabel }),
  }
  const { runWorkers, workSetup } = await import('./run-workers.ts')
  const setup = await workSetup(env)
  tellWithoutInit(setup.log)
  const names = only?.split(',').map((name) => name.trim())
  const chosen = { ...(folder !== undefined && { folder }), ...(names && { only: names }) }
  if (instances === undefined && pools === undefined) {
    await runWorkers(chosen, env, setup)
    return
  }
  const { supervise } = await import('./supervise.ts')
  const { releases, probe } = options
  await supervise(chosen, env, setup, {
    instances: instances ?? 0,
    ...limitsIn(options),
    ...given({ probe, pools, releases }),
  })
}

/** What does not go together; undefined: all of it does. */
function mistakeIn(options: WorkOptions, folder: string | undefined): string | undefined {
  const { instances, pools, releases, release } = options
  const needing = SUPERVISORS.find((name) => options[name] !== undefined)
  if (needing !== undefined && instances === undefined && pools === undefined)
    return `${FLAGS[needing]} goes with --instances or --pools: it is the supervisor's to do`
  if (instances !== undefined && pools !== undefined)
    return '--instances and --pools: expected one of them; how many there are is said here or by the pools'
  if (releases === undefined) return undefined
  if (pools === undefined) return '--releases goes with --pools, which say what is run'
  if (release !== undefined) return '--release: with --releases the pools say which it is'
  if (folder !== undefined && isAbsolute(folder))
    return `[folder]: with --releases expected a path in each release, got ${folder}`
  return undefined
}
