import { ofText, oneOf, type Rule } from './core/expect.ts'
import { parseRedisUrl } from './redis/redis-url.ts'

export function anyText(): Rule<string> {
  return text('a text', () => true)
}

/** @param words come after "expected" */
export function text(words: string, isTaken: (text: string) => boolean): Rule<string> {
  return ofText({ expected: () => words, fromText: (given) => (isTaken(given) ? given : undefined) })
}

/** A list separated by commas, which may be empty. */
export function list<T>(part: Rule<T>): Rule<readonly T[]> {
  const isWrong = (text: string) => part.fromText(text) === undefined
  return ofText({
    expected: (quoted, given) => part.expected(quoted, partsOf(String(given)).find(isWrong)),
    fromText(given) {
      const read = partsOf(given).map((text) => part.fromText(text))
      return read.every((value) => value !== undefined) ? read : undefined
    },
  })
}

export function partsOf(text: string): readonly string[] {
  return text.split(',').flatMap((part) => (part.trim() ? [part.trim()] : []))
}

export function redisUrl(): Rule<string> {
  const mistakeIn = (text: string) => {
    const read = parseRedisUrl(text)
    return read.kind === 'mistake' ? read.expected : undefined
  }
  return ofText({
    expected: (_, given) => mistakeIn(String(given)) ?? '',
    fromText: (given) => (mistakeIn(given) === undefined ? given : undefined),
  })
}

/** Two words, one for true and one for false. */
export function flag(words: Readonly<Record<string, boolean>>): Rule<boolean> {
  const { expected } = oneOf(Object.keys(words))
  return ofText({
    expected,
    fromText: (given) => (Object.hasOwn(words, given) ? words[given] : undefined),
  })
}

/** What the fleet is selected by: without a comma, a star or a space. */
export function label(): Rule<string> {
  return text('1 to 64 of letters, digits, ".", "_", ":" and "-"', (value) => /^[\w.:-]{1,64}$/.test(value))
}
