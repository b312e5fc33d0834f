import { type Command, Option } from 'commander'
import { createClient } from '../../client/client.ts'
import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import { pause } from '../../waiting.ts'
import { type AskOptions, addAskOptions, helpText } from '../ask.ts'
import { duration, whole } from '../option-values.ts'
import { clientOptions } from '../server-options.ts'
import { type Colors, colorsOf, columnsOf, EXIT, exitWith } from '../terminal.ts'
import { instanceTable } from './fleet-tables.ts'
import { addSelecting, type SelectingOptions, selectionOf } from './selecting.ts'
import { SORTS, type Sort, sorted } from './sorts.ts'

interface TopOptions extends AskOptions, SelectingOptions {
  readonly sort: Sort
  readonly times?: number
  readonly every: number
}

/** The keys that choose what is sorted by, as those of top. */
const KEYS: Readonly<Record<string, Sort>> = {
  p: 'cpu',
  m: 'memory',
  r: 'running',
  d: 'done',
  f: 'failed',
  w: 'worker',
  h: 'host',
}
const LINES_AROUND = 4

/** `gone fleet top`: what uses most, again and again. */
export function addTop(fleet: Command): void {
  const command = fleet
    .command('top')
    .description('watch instances, those that use most first; on a terminal until q')
    .addOption(new Option('--sort <by>', 'what comes first').choices(SORTS).default('cpu'))
    .option('-n, --times <n>', 'look so often, and end; 1 where nobody watches', whole)
    .option('--every <duration>', 'how often to look', duration, 2_000)
  addAskOptions(addSelecting(command))
    .addHelpText(
      'after',
      `\nKeys: q ends it; p cpu, m memory, r running, d done, f failed, w worker, h host sort by that; space looks now.\n${helpText(
        ['gone fleet top --worker mailer', 'gone fleet top -n 1 --sort memory --json'],
        ['shown, also if there are none'],
      )}`,
    )
    .action(show)
}

async function show(options: TopOptions): Promise<void> {
  const ending = new AbortController()
  process.once('SIGINT', () => ending.abort())
  process.once('SIGTERM', () => ending.abort())
  const { stdout } = process
  const isWatched = stdout.isTTY === true && options.times === undefined && !options.json
  const times = options.times ?? (isWatched ? Number.POSITIVE_INFINITY : 1)
  const keys = isWatched ? new Keys(options.sort, () => ending.abort()) : undefined
  try {
    const client = createClient({ ...clientOptions(options), candidate: null })
    const draw = isWatched ? (await import('log-update')).createLogUpdate(stdout) : undefined
    for (let time = 1; time <= times && !ending.signal.aborted; time += 1) {
      const instances = await client.fleet.instances(selectionOf(options), { signal: ending.signal })
      const view = sorted(instances, keys?.sort ?? options.sort)
      if (draw) draw(picture(view, keys?.sort ?? options.sort))
      else stdout.write(options.json ? `${JSON.stringify(view)}\n` : `${textOf(view)}\n`)
      if (time < times) await pause(options.every, keys ? keys.pressed(ending.signal) : ending.signal)
    }
    draw?.done()
    process.exitCode = EXIT.done
  } catch (error) {
    keys?.close()
    if (!ending.signal.aborted) await exitWith(error, options.json)
  } finally {
    keys?.close()
  }
}

function textOf(instances: readonly InstanceJson[], colors: Colors = colorsOf(process.stdout)): string {
  if (instances.length === 0) return 'no instance'
  return instanceTable(instances, colors, columnsOf(process.stdout))
}

/** As much as the terminal has room for. */
function picture(instances: readonly InstanceJson[], sort: Sort): string {
  const colors = colorsOf(process.stdout)
  const room = Math.max(1, (process.stdout.rows || Number.POSITIVE_INFINITY) - LINES_AROUND)
  const more = instances.length - room
  const running = instances.flatMap(({ workers }) => workers).reduce((sum, one) => sum + one.running, 0)
  const title = `${instances.length} instances run ${running} jobs; by ${sort}`
  const foot = `${more > 0 ? `${more} more; ` : ''}q ends, p m r d f w h sort`
  return `${colors.bold(title)}\n${textOf(instances.slice(0, room), colors)}\n${colors.dim(foot)}`
}

/** What is pressed on the terminal while it is watched. */
class Keys {
  private wake = new AbortController()

  constructor(
    public sort: Sort,
    private readonly end: () => void,
  ) {
    const { stdin } = process
    if (stdin.isTTY) stdin.setRawMode(true)
    stdin.on('data', this.press)
  }

  /** Aborted when something is pressed, or the command ends. */
  pressed(ending: AbortSignal): AbortSignal {
    this.wake = new AbortController()
    return AbortSignal.any([this.wake.signal, ending])
  }

  close(): void {
    const { stdin } = process
    stdin.off('data', this.press)
    if (stdin.isTTY) stdin.setRawMode(false)
    stdin.pause()
  }

  private readonly press = (data: Buffer) => {
    for (const key of data.toString().toLowerCase()) {
      // In raw mode Ctrl-C is a key like any other.
      if (key === 'q' || key === '\u0003') this.end()
      this.sort = KEYS[key] ?? this.sort
    }
    this.wake.abort()
  }
}
