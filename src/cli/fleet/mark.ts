import type { Command } from 'commander'
import { type AskOptions, addAskOptions, given, helpText } from '../ask.ts'
import type { Asking } from './asking.ts'

interface MarkOptions extends AskOptions {
  readonly worker?: string
}

/** `gone fleet mark`: what is to be read beside the graphs of this moment. */
export function addMark(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('mark')
    .description('say something of this moment, which series and their graphs show beside the releases')
    .argument('<text>', 'up to 200 characters')
    .option('--worker <name>', 'of this worker alone')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone fleet mark "campaign begins"', 'gone fleet mark "new index" --worker mailer'],
        ['it is noted', 'it could not be noted'],
      ),
    )
    .action((text: string, options: MarkOptions) =>
      asking.ask(options, async ({ fleet }) => {
        const mark = await fleet.mark(text, given({ worker: options.worker }))
        return { isDone: true, text: `marked ${mark.at}`, json: mark }
      }),
    )
}
