import type { Command } from 'commander'
import { given } from './ask.ts'
import { between, bytes, decimal, milliseconds } from './option-values.ts'
import type { SuperviseOptions } from './supervise.ts'

/** What a supervisor lets its instances use. */
export interface LimitOptions {
  readonly memory?: number
  readonly maxAge?: number
  readonly maxJobs?: number
  readonly hung?: number
  readonly maxCpu?: number
  readonly maxLoopDelay?: number
  readonly maxLoad?: number
  readonly pressure?: number
  readonly minRegistered?: number
}

export const LIMIT_FLAGS: Readonly<Record<keyof LimitOptions, string>> = {
  memory: '--memory',
  maxAge: '--max-age',
  maxJobs: '--max-jobs',
  hung: '--hung',
  maxCpu: '--max-cpu',
  maxLoopDelay: '--max-loop-delay',
  maxLoad: '--max-load',
  pressure: '--pressure',
  minRegistered: '--min-registered',
}

/** As long as the lock of a worker that says nothing else: others may take its jobs then. */
const HUNG_MS = 30_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** One that is busy for a moment is only busy. */
const PRESSURE_MS = 30_000
const MIN_REGISTERED = 1

export function addLimits(command: Command): Command {
  return command
    .option(
      '--memory <size>',
      'with --instances: replace one that has 80 % of so much, end it at all of it',
      bytes,
    )
    .option(
      '--max-age <duration>',
      'with --instances: replace one that is so old',
      milliseconds(60_000, 365 * DAY_MS),
    )
    .option(
      '--max-jobs <number>',
      'with --instances: replace one that has run so many jobs',
      between(1, 1_000_000_000),
    )
    .option(
      '--hung <duration>',
      'with --instances: end one whose event loop does not answer for so long (default: 30s)',
      milliseconds(6_000, DAY_MS),
    )
    .option(
      '--max-cpu <percent>',
      'with --instances: one that uses so much of a core takes no jobs until it is below 80 % of it',
      between(1, 10_000),
    )
    .option(
      '--max-loop-delay <duration>',
      'with --instances: likewise one whose event loop keeps timers waiting for so long',
      milliseconds(10, DAY_MS),
    )
    .option(
      '--max-load <number>',
      'with --instances: likewise where so many processes want to run on the host, for each core',
      decimal(0.01, 1_000),
    )
    .option(
      '--pressure <duration>',
      'how long these must last, in the mean (default: 30s)',
      milliseconds(1_000, HOUR_MS),
    )
    .option(
      '--min-registered <number>',
      'and how many others must take the jobs of its workers, on all hosts (default: 1)',
      between(0, 1_000),
    )
}

export function limitsIn(options: LimitOptions): Pick<SuperviseOptions, 'limits' | 'hungMs' | 'pressure'> {
  const { memory: memoryBytes, maxAge: maxAgeMs, maxJobs, hung = HUNG_MS } = options
  const { maxCpu: cpu, maxLoopDelay: loop, maxLoad: load } = options
  const { pressure: lastMs = PRESSURE_MS, minRegistered = MIN_REGISTERED } = options
  return {
    limits: given({ memoryBytes, maxAgeMs, maxJobs }),
    hungMs: hung,
    pressure: { limits: given({ cpu, loop, load }), lastMs, minRegistered },
  }
}
