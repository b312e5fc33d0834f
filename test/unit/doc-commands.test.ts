import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { CHILD_NAMES, OTHER_NAMES, SECRETS, SETTINGS } from '../../src/settings.ts'
import { ROOT } from '../support/snippets.ts'

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'workers/README.md'].concat(
  readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
)
const SCRIPTS: object = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts

const gone = await createProgram()
const textOf = (page: string) => readFileSync(join(ROOT, page), 'utf8')

/** Each command of gone on the page, as somebody would type it: in a shell's lines, and between the words. */
function commandsIn(page: string): string[] {
  const text = textOf(page)
  const shells = [...text.matchAll(/^ *```(?:sh|console|crontab|bash)\n([\s\S]*?)```/gm)].map(
    ([, lines = '']) => lines,
  )
  const prose = text.replace(/^ *```[\s\S]*?```/gm, '')
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
  const lines = [...shells.flatMap((shell) => shell.replaceAll('\\\n', ' ').split('\n')), ...inline]
  return lines.flatMap((line) =>
    [...line.matchAll(/(?<=^|[$(&|;] *|\b(?:do|until|exec) |(?:[A-Z_]+=\S+ ))gone (?=[a-z])[^#|;)]*/g)].map(
      ([command]) => command.trim(),
    ),
  )
}

/** Its words, as a shell has them, without the brackets of what may be left out. */
function wordsOf(command: string): string[] {
  const [first = ''] = command.split(/ (?:&|>>?|<) ?|&&/)
  return [...first.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replace(/[[\]]/g, ''))
}

/** What is wrong with it; empty where nothing is. */
function mistakeIn(line: string): string {
  let command: Command = gone
  const [, ...words] = wordsOf(line)
  const given: string[] = []
  for (let word = words.shift(); word !== undefined && word !== '--'; word = words.shift()) {
    const next = given.length === 0 ? command.commands.find((each) => each.name() === word) : undefined
    if (next) command = next
    else if (/^--?[a-z]/.test(word)) {
      const [name = ''] = word.split('=')
      // Where none of its commands is named, one of them is meant.
      const options = [command, ...command.commands].flatMap((each) => each.options)
      const option = options.find(({ long, short }) => long === name || short === name)
      if (!option && name !== '--help') return `${line}: ${command.name()} has no ${name}`
      if (
        option &&
        (option.required || option.optional) &&
        !word.includes('=') &&
        !/^-/.test(words[0] ?? '-')
      )
        words.shift()
    } else given.push(word)
  }
  if (command.commands.length > 0 && given.length > 0) return `${line}: ${command.name()} has no ${given[0]}`
  const { registeredArguments: known } = command
  if (given.length > known.length && !known.at(-1)?.variadic)
    return `${line}: ${command.name()} takes no ${given.at(-1)}`
  return ''
}

describe('the pages name', () => {
  it('commands and options of gone that there are', () => {
    const commands = PAGES.flatMap(commandsIn)
    expect(commands.length).toBeGreaterThan(150)
    expect(commands.map(mistakeIn).filter((mistake) => mistake !== '')).toEqual([])
    expect(mistakeIn('gone schedule put a b')).toBe('gone schedule put a b: schedule has no put')
    expect(mistakeIn('gone elect a b --for 1s')).toBe('gone elect a b --for 1s: elect has no --for')
  })

  it('settings that there are', () => {
    const known = new Set<string>([
      ...Object.values(SETTINGS).map(({ name }) => name),
      ...OTHER_NAMES,
      ...CHILD_NAMES,
      ...SECRETS.flatMap((name) => [name, `${name}_FILE`]),
    ])
    const named = PAGES.flatMap((page) =>
      [...textOf(page).matchAll(/\bGONE_[A-Z_]+[A-Z]\b/g)].map(([name]) => name),
    )
    expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([])
  })

  it('scripts that there are', () => {
    const named = PAGES.flatMap((page) =>
      [...textOf(page).matchAll(/\bnpm run (?:-s |--silent )?([a-z][\w:]*)/g)].map(([, name = '']) => name),
    )
    expect([...new Set(named)].filter((name) => !(name in SCRIPTS))).toEqual([])
  })
})
