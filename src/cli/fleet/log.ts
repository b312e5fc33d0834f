import { type Command, Option } from 'commander'
import { createClient } from '../../client/client.ts'
import { isAtLeast, LOG_LEVELS, type LogLevel } from '../../core/fleet/log-level.ts'
import type { FleetLogJson, LogLineJson } from '../../core/fleet/log-wire.ts'
import { visible } from '../../core/printable.ts'
import { type AskOptions, addAskOptions, helpText } from '../ask.ts'
import { between } from '../option-values.ts'
import { clientOptions } from '../server-options.ts'
import { colorsOf, EXIT, exitWith } from '../terminal.ts'
import { addSelecting, type SelectingOptions, selectionOf } from './selecting.ts'

interface LogCommandOptions extends AskOptions, SelectingOptions {
  readonly follow?: boolean
  readonly text?: string
  readonly level?: LogLevel
  readonly lines?: number
}

/** `gone fleet log`: what instances print, all that are selected together. */
export function addLog(fleet: Command): void {
  const command = fleet
    .command('log')
    .description('show what instances print that run under a supervisor, all that are selected together')
    .argument('[id]', 'of one instance; its last lines also for an hour after its end')
    .option('-f, --follow', 'go on with each line as it comes; Ctrl-C ends it')
    .option('--text <text>', 'only lines that hold this, in upper or lower case')
    .addOption(new Option('--level <level>', 'only lines as grave as this, or more').choices(LOG_LEVELS))
    .option('-n, --lines <count>', 'how many of the last lines, 100 unless said', between(1, 1_000))
  addAskOptions(addSelecting(command))
    .addHelpText(
      'after',
      helpText(
        [
          'gone fleet log --worker mailer',
          'gone fleet log --host eu-a --follow',
          'gone fleet log --text ECONNREFUSED',
          'gone fleet log --level warn --follow',
        ],
        ['shown, or ended by Ctrl-C', 'none of the selected has printed such a line that is kept'],
      ),
    )
    .action(showLog)
}

async function showLog(id: string | undefined, options: LogCommandOptions): Promise<void> {
  const ending = new AbortController()
  process.once('SIGINT', () => ending.abort())
  process.once('SIGTERM', () => ending.abort())
  const { text, level, lines, json: isJson } = options
  const asked = {
    signal: ending.signal,
    ...(text !== undefined && { text }),
    ...(level && { level }),
    ...(lines !== undefined && { lines }),
  }
  const selection = { ...selectionOf(options), ...(id !== undefined && { id }) }
  try {
    const { fleet } = createClient({ ...clientOptions(options), candidate: null })
    if (options.follow) {
      let isFirst = true
      for await (const page of fleet.followLog(selection, asked)) {
        show(page, isJson)
        sayWhatIsMissing(page, isFirst)
        isFirst = false
      }
      return
    }
    const page = await fleet.log(selection, asked)
    show(page, isJson)
    sayWhatIsMissing(page, true)
    process.exitCode = page.lines.length > 0 ? EXIT.done : EXIT.notNow
  } catch (error) {
    if (!ending.signal.aborted) await exitWith(error, isJson)
  }
}

function show({ lines }: FleetLogJson, isJson = false): void {
  process.stdout.write(lines.map((line) => `${isJson ? JSON.stringify(line) : textOf(line)}\n`).join(''))
}

function textOf({ instance, at, text, error, level }: LogLineJson): string {
  const { dim, yellow } = colorsOf(process.stdout)
  const isGrave = level === undefined ? error : isAtLeast(level, 'warn')
  const shown = visible(text)
  return `${dim(`${at} ${instance}|`)} ${isGrave ? yellow(shown) : shown}`
}

/** To the person: what is shown goes into pipes. */
function sayWhatIsMissing({ dropped, silent, unread, leftOut, reset }: FleetLogJson, isFirst: boolean): void {
  const { dim } = colorsOf(process.stderr)
  const said = dropped.map(({ instance, lines }) =>
    lines === undefined
      ? `lines of ${instance} were left out: they are not kept any more`
      : `${lines} lines of ${instance} were left out: it prints more than is kept`,
  )
  if (reset) said.push('what was followed is lost; this is what is kept now')
  if (isFirst && silent.length > 0)
    said.push(
      `the supervisor does not answer of ${silent.slice(0, 5).join(', ')}${silent.length > 5 ? ' …' : ''}`,
    )
  if (isFirst && unread > 0)
    said.push(`${unread} run without a supervisor: what they print is where they were started`)
  if (isFirst && leftOut > 0) said.push(`${leftOut} more are selected; it is 250 at a time`)
  if (said.length > 0) process.stderr.write(dim(said.map((line) => `${line}\n`).join('')))
}
