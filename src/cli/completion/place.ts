import type { Command, Option } from 'commander'

/** What may stand where somebody types: words of the command itself, and what a server knows by such a name. */
export interface Place {
  readonly words: readonly string[]
  /** The name of the argument or of the option's value, such as `system`. */
  readonly asked?: Asked
}

export interface Asked {
  readonly name: string
  /** The group of commands that it is one of, such as `fleet`; `gone` itself where it is in none. */
  readonly group: string
  /** The arguments before it. */
  readonly before: readonly string[]
}

const NOTHING: Place = { words: [] }

/**
 * What may stand in the place of the last word.
 *
 * @param words what is typed after the program's name; the last one may be begun, or empty
 */
export function placeOf(program: Command, words: readonly string[]): Place {
  const before: string[] = []
  let command = program
  let open: Option | undefined
  const typed = words.at(-1) ?? ''
  for (const word of words.slice(0, -1)) {
    if (word === '--') return NOTHING
    if (open !== undefined) open = undefined
    else if (word.startsWith('-')) open = takesValue(command, word)
    else {
      const next = before.length === 0 ? commandOf(command, word) : undefined
      if (next === undefined) before.push(word)
      else command = next
    }
  }
  const group = (command.parent ?? program).name()
  if (open !== undefined) return ofOption(open, { group, before })
  if (typed.startsWith('-')) return { words: command.options.filter(isShown).flatMap(flagsOf) }
  return ofArgument(command, { group, before })
}

function commandOf(command: Command, word: string): Command | undefined {
  return command.commands.find((one) => one.name() === word || one.aliases().includes(word))
}

/** The option, if the next word is its value. */
function takesValue(command: Command, word: string): Option | undefined {
  const option = command.options.find(({ short, long }) => word === short || word === long)
  return option?.required ? option : undefined
}

function ofOption(option: Option, at: Omit<Asked, 'name'>): Place {
  const [, value = ''] = /<([^>]+)>/.exec(option.flags) ?? []
  // Of what it is the name: `--worker <name>`.
  const name = value === 'name' ? option.attributeName() : value
  return { words: option.argChoices ?? [], asked: { name, ...at } }
}

function ofArgument(command: Command, at: Omit<Asked, 'name'>): Place {
  if (command.commands.length > 0) return { words: command.commands.map((one) => one.name()) }
  const argument = command.registeredArguments[at.before.length]
  if (argument === undefined) return NOTHING
  return { words: argument.argChoices ?? [], asked: { name: argument.name(), ...at } }
}

function isShown(option: Option): boolean {
  return !option.hidden
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined)
}
