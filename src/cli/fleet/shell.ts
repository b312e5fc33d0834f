import { createInterface, type Interface } from 'node:readline'
import { Command, CommanderError } from 'commander'
import { createClient } from '../../client/client.ts'
import { readSelection, SELECTION_FIELDS, type SelectionField } from '../../core/fleet/selection.ts'
import { GoneError } from '../../errors.ts'
import { exitWhenRead } from '../../process/exit.ts'
import { unlessAborted } from '../../waiting.ts'
import { type AskOptions, type Find, helpText } from '../ask.ts'
import { addServerOptions, clientOptions, type ServerOptions } from '../server-options.ts'
import { colorsOf, EXIT, exitWith, sayError } from '../terminal.ts'
import { detailsOf } from '../text/table.ts'
import { addConfig } from './config.ts'
import { FleetNow } from './fleet-now.ts'
import { addMark } from './mark.ts'
import { addOrderCommands } from './order-commands.ts'
import { addPools } from './pool-commands.ts'
import { addQueries } from './queries.ts'
import { addRolls } from './roll-commands.ts'
import { completionsOf } from './shell-completion.ts'
import { ShellHistory } from './shell-history.ts'
import { wordsOf } from './shell-words.ts'

/** `gone fleet shell`: its commands one after another, for the instances that the filters select. */
export function addShell(fleet: Command): void {
  const command = fleet
    .command('shell')
    .description('type commands of gone fleet one after another, with filters that stay')
  addServerOptions(command)
    .addHelpText(
      'after',
      `
In it:
  worker mailer     from now on only instances of this worker; so do release,
                    region, host, id and state. Without a name: of any
  filters, reset    show the filters, drop them
  help              what else there is; Tab completes names as they are now
  exit, Ctrl-D      end
${helpText(
  ['gone fleet shell', 'echo "instances --json" | gone fleet shell'],
  ['ended', 'from a pipe: a command was refused, or found none'],
)}`,
    )
    .action((options: ServerOptions) =>
      new FleetShell(options).run().then(exitWhenRead, (error) => exitWith(error)),
    )
}

class FleetShell {
  private readonly lines: Interface
  private readonly read: AsyncIterator<string, undefined>
  private readonly fleet: FleetNow | undefined
  private readonly history: ShellHistory | undefined
  private readonly filters = new Map<SelectionField, string>()
  private readonly isWatched = process.stdin.isTTY === true && process.stdout.isTTY === true
  /** Aborted by Ctrl-C while a command is under way. */
  private running: AbortController | undefined
  private next: Promise<IteratorResult<string, undefined>> | undefined
  private isAsking = false
  private worst: number = EXIT.done

  constructor(private readonly options: ServerOptions) {
    const { stdin: input, stdout: output } = process
    if (this.isWatched) {
      this.history = new ShellHistory()
      this.fleet = new FleetNow(createClient({ ...clientOptions(options), candidate: null }))
    }
    this.lines = createInterface({
      input,
      ...(this.isWatched && { output }),
      terminal: this.isWatched,
      history: [...(this.history?.lines ?? [])].reverse(),
      removeHistoryDuplicates: true,
      completer: (line: string) =>
        completionsOf(line, this.program().commands, (field) => this.fleet?.names(field) ?? []),
    })
    this.read = this.lines[Symbol.asyncIterator]()
    // An answer to a question is no command.
    this.lines.on('history', (history: string[]) => {
      if (this.running) history.shift()
    })
    this.lines.on('SIGINT', () => this.interrupt())
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    try {
      for (;;) {
        const line = await this.typed(this.prompt())
        if (line === undefined) break
        this.history?.add(line)
        if (line.trim() === 'exit' || line.trim() === 'quit') break
        await this.obey(line)
      }
    } finally {
      this.lines.close()
      await this.fleet?.stop()
    }
    return this.isWatched ? EXIT.done : this.worst
  }

  private prompt(): string {
    const filters = [...this.filters].map(([field, text]) => ` ${field}=${text}`)
    return `fleet${filters.join('')}> `
  }

  /** The next line, or undefined after the last. */
  private async typed(prompt: string, signal?: AbortSignal): Promise<string | undefined> {
    if (this.isWatched) {
      this.lines.setPrompt(prompt)
      this.lines.prompt()
    }
    this.isAsking = true
    // Whoever was interrupted has left the line that it waited for to the next.
    this.next ??= this.read.next()
    try {
      const { value, done } = await (signal ? unlessAborted(signal, this.next) : this.next)
      this.next = undefined
      if (!done) return value
      if (this.isWatched) process.stdout.write('\n')
      return undefined
    } finally {
      this.isAsking = false
    }
  }

  /** Ends what is under way, or forgets the line that is typed. */
  private interrupt(): void {
    if (this.isAsking) {
      this.lines.write(null, { ctrl: true, name: 'e' })
      this.lines.write(null, { ctrl: true, name: 'u' })
    }
    process.stdout.write('^C\n')
    if (this.running) this.running.abort()
    else this.lines.prompt()
  }

  private async obey(line: string): Promise<void> {
    try {
      const [verb, ...rest] = wordsOf(line)
      if (verb === undefined) return
      const field = SELECTION_FIELDS.find((known) => known === verb)
      if (field !== undefined) this.filter(field, rest)
      else if (verb === 'reset') this.filters.clear()
      else if (verb === 'filters') process.stdout.write(`${this.filterText()}\n`)
      else if (verb === 'help' && rest.length === 0) process.stdout.write(`${this.help()}\n`)
      else await this.command(verb === 'help' ? [...rest, '--help'] : [verb, ...rest])
    } catch (error) {
      // Of bad usage commander has said all, and help is no error.
      if (error instanceof CommanderError && error.exitCode === 0) return
      if (!(error instanceof CommanderError)) sayError(error)
      this.ended(EXIT.unknown)
    }
  }

  /** @throws GoneError for what selects nothing */
  private filter(field: SelectionField, words: readonly string[]): void {
    const text = words.join(',')
    if (text === '') {
      this.filters.delete(field)
      return
    }
    readSelection({ [field]: text })
    this.filters.set(field, text)
  }

  private filterText(): string {
    return this.filters.size === 0 ? 'no filters: all instances' : this.prompt().slice('fleet '.length, -2)
  }

  private help(): string {
    const rows = this.program().commands.map((command) => [command.name(), command.description()] as const)
    const own = [
      [SELECTION_FIELDS.join(', '), 'only instances of this from now on; without a name of any'],
      ['filters, reset', 'show the filters, drop them'],
      ['help <command>', 'its options'],
      ['exit, Ctrl-D', 'end'],
    ] as const
    return `${detailsOf('commands', rows, colorsOf(process.stdout))}\n${detailsOf('here', own, colorsOf(process.stdout))}`
  }

  private async command([verb = '', ...rest]: readonly string[]): Promise<void> {
    const program = this.program()
    const command = program.commands.find((known) => known.name() === verb)
    if (command === undefined)
      throw new GoneError('INVALID_PARAMETER', `${verb}: there is no such command here; help lists them`)
    // Those of instances: which pools are deployed is to be said with what.
    const isSelecting = command.options.some(({ long }) => long === '--state')
    const filters = isSelecting ? [...this.filters].flatMap(([field, text]) => [`--${field}`, text]) : []
    await program.parseAsync([verb, ...filters, ...rest], { from: 'user' })
  }

  /** Made anew for each line: commander keeps what options were. */
  private program(): Command {
    const program = new Command('gone fleet').exitOverride()
    program.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'gone: ')) })
    const asking = {
      ask: (options: AskOptions, find: Find) => this.ask(options, find),
      question: async (text: string) =>
        this.isWatched ? ((await this.typed(text, this.running?.signal)) ?? '') : '',
    }
    addQueries(program, asking)
    addOrderCommands(program, asking)
    addConfig(program, asking)
    addPools(program, asking)
    addRolls(program, asking)
    addMark(program, asking)
    for (const command of program.commands.flatMap((one) => [one, ...one.commands])) this.reach(command)
    return program
  }

  /** Has the command ask the server that the shell was started for, unless its line says another. */
  private reach(command: Command): void {
    for (const option of command.options) {
      const value = this.options[option.attributeName() as keyof ServerOptions]
      // As if it were typed: what the environment says does not go before it.
      if (value !== undefined) command.setOptionValueWithSource(option.attributeName(), value, 'cli')
    }
  }

  private async ask(options: AskOptions, find: Find): Promise<void> {
    const running = new AbortController()
    this.running = running
    const { signal } = running
    try {
      const client = createClient({ ...clientOptions(options), candidate: null })
      const finding = find(client, colorsOf(process.stdout), signal)
      const { isDone, text, json } = await unlessAborted(signal, finding)
      process.stdout.write(`${options.json ? JSON.stringify(json) : text}\n`)
      this.ended(isDone ? EXIT.done : EXIT.notNow)
    } catch (error) {
      if (signal.aborted) process.stdout.write('not waited for any more; orders shows what was told\n')
      else sayError(error, options.json)
      this.ended(EXIT.unknown)
    } finally {
      this.running = undefined
    }
  }

  private ended(code: number): void {
    this.worst = Math.max(this.worst, code)
  }
}
