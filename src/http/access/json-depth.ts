const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING: readonly number[] = [0x5b, 0x7b]
const CLOSING: readonly number[] = [0x5d, 0x7d]

/**
 * True if brackets outside of strings nest deeper than `max`. Looks at each byte at most once, whoever wrote them: it is
 * asked before the parser.
 *
 * @param json UTF-8, in which no byte of a longer character is one of ours
 */
export function isDeeperThan(max: number, json: ArrayLike<number>): boolean {
  let depth = 0
  let isInString = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] ?? 0
    if (byte === QUOTE) isInString = !isInString
    else if (isInString) at += byte === BACKSLASH ? 1 : 0
    else if (OPENING.includes(byte)) depth += 1
    else if (CLOSING.includes(byte)) depth -= 1
    if (depth > max) return true
  }
  return false
}
