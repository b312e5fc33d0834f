import type { Command } from 'commander'
import { SELECTION_FIELDS, type SelectionField } from '../../core/fleet/selection.ts'

/** Names of a field as they are now. */
export type NamesOf = (field: SelectionField) => readonly string[]

/** What can be typed besides commands. */
export const SHELL_VERBS = [...SELECTION_FIELDS, 'filters', 'reset', 'help', 'exit'] as const

/** How readline is told: what the word at the end of the line may become, and that word. */
export function completionsOf(
  line: string,
  commands: readonly Command[],
  namesOf: NamesOf,
): [readonly string[], string] {
  const words = line.split(/\s+/).filter((word, index) => index > 0 || word !== '')
  const typed = words.pop() ?? ''
  // Of a list that is separated by commas, the last name.
  const done = typed.slice(0, typed.lastIndexOf(',') + 1)
  const possible = possibleAfter(words, commands, namesOf, typed)
  const fits = possible.map((name) => done + name).filter((name) => name.startsWith(typed))
  return [fits.map((name) => (fits.length === 1 ? `${name} ` : name)), typed]
}

function possibleAfter(
  words: readonly string[],
  commands: readonly Command[],
  namesOf: NamesOf,
  typed: string,
): readonly string[] {
  const [verb = '', second] = words
  if (words.length === 0) return [...commands.map((command) => command.name()), ...SHELL_VERBS].sort()
  const field = SELECTION_FIELDS.find((known) => known === verb)
  if (field !== undefined) return words.length === 1 ? namesOf(field) : []
  if (verb === 'help') return commands.map((command) => command.name())
  const last = words.at(-1) ?? ''
  const option = SELECTION_FIELDS.find((known) => `--${known}` === last)
  if (option !== undefined) return namesOf(option)
  if (last === '--of') return namesOf('worker')
  const command = commands.find((known) => known.name() === verb)
  const sub = command?.commands.find((known) => known.name() === second)
  if (typed.startsWith('-')) return ((sub ?? command)?.options ?? []).flatMap(({ long }) => long ?? [])
  if (verb === 'show') return namesOf('id')
  if (verb !== 'config') return []
  if (words.length === 1) return command?.commands.map((known) => known.name()) ?? []
  return [
    ...namesOf('worker').map((name) => `worker/${name}`),
    ...namesOf('id').map((id) => `instance/${id}`),
  ]
}
