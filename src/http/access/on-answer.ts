import type { ServerResponse } from 'node:http'

/**
 * Acts once, as the answer is given, whoever gives it, and also where nobody is there any more to read it: what was done stays done, and Node
 * says of no answer that it has finished whose connection is closed. Not at all where no answer is given.
 */
export function onAnswer(raw: ServerResponse, act: () => void): void {
  const { end } = raw
  const ending = (...given: Parameters<typeof end>) => {
    raw.end = end
    act()
    return end.apply(raw, given)
  }
  raw.end = ending as typeof end
}
