/** What JSON says; whole numbers beyond those of JavaScript keep their digits, as BigInts. */
export function jsonOf(text: string): unknown {
  return JSON.parse(text, (_, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? '')
      : value,
  )
}

/** The same as JSON again, each number with the digits that it had. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? rawOf(part) : part), indent)
}

/** Whatever keeps digits when it reads can write them too. */
function rawOf(number: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(number))
}
