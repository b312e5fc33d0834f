import { GoneError } from '../../errors.ts'

/**
 * The words of a line, as a shell reads it: `--reason "new disk"` is two.
 *
 * @throws GoneError `INVALID_PARAMETER` for a quotation that has no end
 */
export function wordsOf(line: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (const char of line) {
    if (quote !== '') {
      if (char === quote) quote = ''
      else word += char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  if (quote !== '') throw new GoneError('INVALID_PARAMETER', `expected a closing ${quote}`)
  return word === undefined ? words : [...words, word]
}
