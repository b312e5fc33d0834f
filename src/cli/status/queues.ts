import type { Command } from 'commander'
import { type AskOptions, addAskOptions, ask, helpText } from '../ask.ts'
import { columnsOf } from '../terminal.ts'
import { addAdopt } from './adopt.ts'

/** `gone queues`: how many jobs wait for which worker. */
export function addQueues(program: Command): void {
  const command = program
    .command('queues')
    .description("show the workers' queues: what waits, runs and has ended")
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(['gone queues', 'gone queues --json | jq .'], ['shown, also if there are none']),
    )
    .action((options: AskOptions) =>
      ask(options, async (client, colors) => {
        const { queueTable } = await import('./queue-table.ts')
        const queues = await client.queues()
        const none = 'no queues: nothing has been submitted to a worker'
        const text = queues.length === 0 ? none : queueTable(queues, colors, columnsOf(process.stdout))
        return { isDone: true, text, json: queues }
      }),
    )
  addAdopt(command)
}
