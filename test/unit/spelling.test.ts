import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import dictionary from 'dictionary-en-gb'
import nspell from 'nspell'
import { expect, it } from 'vitest'
import { ROOT } from '../support/snippets.ts'

const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'workers/README.md'].concat(
  readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
)
/** Words of ours and names, in small letters, one a line. */
const OWN = 'test/unit/spelling.txt'
const own = readFileSync(join(ROOT, OWN), 'utf8').trimEnd().split('\n')
const english = nspell(Buffer.from(dictionary.aff), Buffer.from(dictionary.dic))
const known = new Set(own)

/** What is written for people: no code, no addresses. */
function wordsOf(text: string): string[] {
  const prose = text
    .replace(/^```[\s\S]*?^```/gm, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/`[^`]*`/g, ' ')
    .replace(/\]\([^)]*\)/g, ' ')
    .replace(/https?:\S+/g, ' ')
  return prose.match(/(?<![\w./-])\p{L}[\p{L}’']*\p{L}(?![\w/]|\.\p{L})/gu) ?? []
}

/** What has a capital beyond its first letter is a name: of a program, a constant, a file. */
const NAME = /\p{L}\p{Lu}/u

function isRight(word: string): boolean {
  if (NAME.test(word)) return true
  const plain = word.replace(/[’']s?$/, '').replace('’', "'")
  return known.has(plain.toLowerCase()) || english.correct(plain) || english.correct(plain.toLowerCase())
}

it.each(PAGES)('%s has no word that is spelled wrong, or is to be in the list of ours', (page) => {
  const words = new Set(wordsOf(readFileSync(join(ROOT, page), 'utf8')))
  expect(words.size).toBeGreaterThan(20)
  expect([...words].filter((word) => !isRight(word))).toEqual([])
})

it('lists words of ours in order, and none that is in the dictionary', () => {
  expect(own).toEqual([...new Set(own)].sort())
  expect(own.filter((word) => english.correct(word))).toEqual([])
})
