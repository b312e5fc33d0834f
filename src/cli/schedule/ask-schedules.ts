import type { Command } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import type { Schedules } from '../../client/schedules.ts'
import { GoneError } from '../../errors.ts'
import { type Answer, type AskOptions, addAskOptions, ask, helpText } from '../ask.ts'
import type { Colors } from '../terminal.ts'

interface Named {
  readonly system: string
  readonly name: string
}

interface NamedCommand<Options extends AskOptions> {
  readonly name: string
  readonly about: string
  readonly examples: readonly string[]
  /** What exit code 0 means. */
  readonly done: string
  readonly addOptions?: (command: Command) => void
  readonly run: (
    schedules: Schedules,
    id: Named,
    options: Options,
    colors: Colors,
    client: GoneClient,
  ) => Promise<Answer>
}

/** A command on one schedule: `gone schedule <command> <system> <name>`. */
export function addNamed<Options extends AskOptions>(schedule: Command, named: NamedCommand<Options>): void {
  const command = schedule
    .command(named.name)
    .description(named.about)
    .argument('<system>', 'the system that its rounds belong to')
    .argument('<name>', "the schedule's name within its system")
  named.addOptions?.(command)
  addAskOptions(command)
    .addHelpText('after', helpText(named.examples, [named.done, 'there is no such schedule']))
    .action((system: string, name: string, options: Options) =>
      ask(options, (client, colors) =>
        named.run(client.schedules, { system, name }, options, colors, client).catch(notThere(colors)),
      ),
    )
}

/** As the server says it. */
export function noSuchSchedule({ system, name }: Named): string {
  return `${system}/${name}: there is no such schedule`
}

/** That there is no such schedule is an answer. */
function notThere({ yellow }: Colors) {
  return (error: unknown): Answer => {
    if (!(error instanceof GoneError) || error.code !== 'NO_SUCH_SCHEDULE') throw error
    const { code, message } = error
    return { isDone: false, text: yellow(message), json: { code, message } }
  }
}
