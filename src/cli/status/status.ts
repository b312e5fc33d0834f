import type { Command } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import { type AskOptions, addAskOptions, ask, helpText } from '../ask.ts'
import type { Whole } from './status-text.ts'

/** `gone status`: how all of it is, on one screen. */
export function addStatus(program: Command): void {
  const command = program
    .command('status')
    .description('show how all of it is: servers, Redis, rounds, schedules, alerts, workers')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(['gone status', 'gone status --json | jq .wrong'], ['nothing is wrong', 'something is']),
    )
    .action((options: AskOptions) =>
      ask(options, async (client, colors) => {
        const { statusText, wrongsOf } = await import('./status-text.ts')
        const whole = await wholeOf(client)
        const wrong = wrongsOf(whole)
        return {
          isDone: wrong.length === 0,
          text: statusText(whole, wrong, colors),
          json: { wrong, ...whole },
        }
      }),
    )
}

async function wholeOf(client: GoneClient): Promise<Whole> {
  const [status, rounds, schedules, alerts, fleet, queues] = await Promise.all([
    client.status(),
    client.tally(),
    client.schedules.list(),
    client.alerts({ state: 'open' }),
    client.fleet.topology(),
    client.queues(),
  ])
  return { ...status, rounds, schedules, alerts, fleet, queues }
}
