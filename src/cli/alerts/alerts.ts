import { type Command, Option } from 'commander'
import { ALERT_STATES, type AlertState } from '../../core/alerts/alert.ts'
import { type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { whole } from '../option-values.ts'
import { columnsOf } from '../terminal.ts'

interface AlertsCommandOptions extends AskOptions {
  readonly state?: AlertState
  readonly limit?: number
}

const EXAMPLES = ['gone alerts --state open', 'gone alerts cleaner --json']

/** `gone alerts`: what is wrong with rounds that were expected. */
export function addAlerts(program: Command): void {
  const command = program
    .command('alerts')
    .description('show what is wrong with rounds that were expected, and what was; newest first')
    .argument('[system]', 'only those of this system')
    .addOption(new Option('--state <state>', 'only those in this state').choices(ALERT_STATES))
    .addOption(new Option('--limit <number>', 'at most so many (default: 100)').argParser(whole))
  addAskOptions(command)
    .addHelpText('after', helpText(EXAMPLES, ['shown, also if there are none']))
    .action(showAlerts)
}

function showAlerts(
  system: string | undefined,
  { state, limit, ...options }: AlertsCommandOptions,
): Promise<void> {
  return ask(options, async (client, colors) => {
    const { alertTable } = await import('./alert-table.ts')
    const alerts = await client.alerts(given({ system, state, limit }))
    const none = `no ${state === undefined ? '' : `${state} `}alerts`
    const text = alerts.length === 0 ? none : alertTable(alerts, colors, columnsOf(process.stdout))
    return { isDone: true, text, json: alerts }
  })
}
