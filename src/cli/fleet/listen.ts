import type { Command } from 'commander'
import { createClient } from '../../client/client.ts'
import type { FleetNews } from '../../client/fleet.ts'
import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import { type AskOptions, addAskOptions, helpText } from '../ask.ts'
import { clientOptions } from '../server-options.ts'
import { colorsOf, EXIT, exitWith } from '../terminal.ts'
import { addSelecting, type SelectingOptions, selectionOf } from './selecting.ts'

/** `gone fleet listen`: what is there, then each change, until Ctrl-C. */
export function addListen(fleet: Command): void {
  const command = fleet
    .command('listen')
    .description('print what is there, then each change as it comes; Ctrl-C ends it')
  addAskOptions(addSelecting(command))
    .addHelpText(
      'after',
      helpText(['gone fleet listen --worker mailer', 'gone fleet listen --json | jq .'], ['ended by Ctrl-C']),
    )
    .action(listen)
}

async function listen(options: AskOptions & SelectingOptions): Promise<void> {
  const ending = new AbortController()
  process.once('SIGINT', () => ending.abort())
  process.once('SIGTERM', () => ending.abort())
  try {
    const client = createClient({ ...clientOptions(options), candidate: null })
    const news = client.fleet.listen(selectionOf(options), { signal: ending.signal })
    for await (const one of news)
      process.stdout.write(options.json ? `${JSON.stringify(one)}\n` : linesOf(one))
  } catch (error) {
    if (!ending.signal.aborted) await exitWith(error, options.json)
  }
  process.exitCode = EXIT.done
}

function linesOf(news: FleetNews): string {
  const { dim } = colorsOf(process.stdout)
  if (news.kind === 'change')
    return `${news.instance ? lineOf(news.instance) : `${news.id}  ${dim('not selected any more')}`}\n`
  const lines = news.instances.map((instance) => `${lineOf(instance)}\n`)
  return lines.join('') + dim(`${news.instances.length} instances; listening\n`)
}

function lineOf({ id, state, workers, host, region, release }: InstanceJson): string {
  return `${id}  ${state}  ${workers.map(({ name }) => name).join(',')}  ${host} (${region})  release ${release}`
}
