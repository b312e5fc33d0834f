const MAX_DIGITS = 100
/** No number so short needs more than a double has, unless it has an exponent. */
const SURELY_KEPT = 15

/**
 * What of a JSON text would be lost by reading it, in words such as `data.id: 9007199254740993 cannot be kept exactly …`;
 * undefined if nothing would. Numbers of JSON have as many digits as anybody likes, those of JavaScript some 17, and of two members
 * of one name it takes the last.
 *
 * @param json valid
 * @param name of the whole, which begins the path; empty for a body
 */
export function lossOf(json: string, name = ''): string | undefined {
  const path: Frame[] = []
  for (let at = 0; at < json.length; at++) {
    const char = json[at] as string
    const frame = path.at(-1)
    if (char === '"') {
      const end = endOfString(json, at)
      if (frame?.names && frame.isNext) {
        frame.key = JSON.parse(json.slice(at, end)) as string
        frame.isNext = false
        if (frame.names.has(frame.key)) return `${pathText(name, path)}: given twice`
        frame.names.add(frame.key)
      }
      at = end - 1
    } else if (char === '{') path.push({ key: '', names: new Set(), isNext: true })
    else if (char === '[') path.push({ key: 0, isNext: false })
    else if (char === '}' || char === ']') path.pop()
    else if (char === ',' && frame) {
      frame.isNext = true
      if (typeof frame.key === 'number') frame.key += 1
    } else if (char === '-' || isDigit(char)) {
      const literal = numberAt(json, at)
      if (!isKept(literal)) return `${pathText(name, path)}: ${inexact(literal)}`
      at += literal.length - 1
    }
  }
  return undefined
}

/** Where the scan is: in an object with the names that it has so far, or in a list. */
interface Frame {
  key: string | number
  readonly names?: Set<string>
  /** The next text is a name. */
  isNext: boolean
}

/** The message, without what it is about. */
export function inexact(number: string): string {
  const shown = number.length > 40 ? `${number.slice(0, 40)}…` : number
  return `${shown} cannot be kept exactly as a number; expected one that a double keeps, or a text`
}

const CLOSING = /["\\]/g
const NUMBER = /-?[\d.eE+-]+/y

/** After the closing quote. */
function endOfString(json: string, start: number): number {
  CLOSING.lastIndex = start + 1
  while (CLOSING.test(json)) {
    if (json[CLOSING.lastIndex - 1] === '"') return CLOSING.lastIndex
    CLOSING.lastIndex += 1
  }
  return json.length
}

function numberAt(json: string, start: number): string {
  NUMBER.lastIndex = start
  return NUMBER.exec(json)?.[0] ?? ''
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9'
}

/**
 * Whether a number, read and written again, is the same: a whole one digit by digit; of a fraction it is enough that its digits are
 * those of a double, as some languages write them: 0.10000000000000001 for 0.1.
 */
export function isKept(literal: string): boolean {
  if (literal.length <= SURELY_KEPT && !/e/i.test(literal)) return true
  const number = Number(literal)
  if (!Number.isFinite(number)) return false
  const meant = decimalOf(literal)
  if (isSame(meant, decimalOf(String(number)))) return true
  const isWhole = meant.exponent >= meant.digits.length
  if (isWhole || meant.digits.length > MAX_DIGITS || number === 0) return false
  return isSame(meant, decimalOf(number.toPrecision(meant.digits.length)))
}

/** A decimal as 0.digits times ten to the exponent, without a zero at either end. */
interface Decimal {
  readonly digits: string
  readonly exponent: number
}

function decimalOf(text: string): Decimal {
  const [, whole = '', fraction = '', power = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? []
  const all = whole + fraction
  const digits = all.replace(/^0+/, '')
  if (digits === '') return { digits, exponent: 0 }
  return {
    digits: trimEnd(digits),
    exponent: whole.length - (all.length - digits.length) + Number(power),
  }
}

/** In one pass: a search for zeros at the end would start again at each zero. */
function trimEnd(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}

function isSame(one: Decimal, other: Decimal): boolean {
  return one.digits === other.digits && one.exponent === other.exponent
}

const PLAIN = /^[A-Za-z_][\w-]{0,63}$/

function pathText(name: string, path: readonly { readonly key: string | number }[]): string {
  const text = path.reduce((before, { key }) => {
    if (typeof key === 'number') return `${before}[${key}]`
    const shown = PLAIN.test(key) ? key : JSON.stringify(key.slice(0, 64).toWellFormed())
    return before === '' ? shown : `${before}.${shown}`
  }, name)
  return text || 'the body'
}

/**
 * Writes a value as JSON that says the same: a number that JSON does not have, which it would write as null, is an error that
 * names the member.
 *
 * @param name of the whole, such as `result`
 * @throws RangeError `result.rows[3]: NaN cannot be written as JSON …`
 * @returns undefined for what JSON has no word for at all, such as undefined itself
 */
export function exactJson(value: unknown, name = ''): string | undefined {
  const places: Places = new Map()
  return JSON.stringify(value, function (this: unknown, key, member: unknown) {
    if (typeof member === 'bigint' || (typeof member === 'number' && !Number.isFinite(member)))
      throw new RangeError(
        `${pathText(name, pathTo(this, key, places))}: ${typeof member === 'bigint' ? 'the BigInt ' : ''}${member} cannot be written as JSON; expected a text or null`,
      )
    if (typeof member === 'object' && member !== null) places.set(member, { holder: this, key })
    return member
  })
}

/** Of what is in what, under which name: a path of its own for each would be as long as it is deep. */
type Places = Map<unknown, { readonly holder: unknown; readonly key: string }>

/** The names that lead to a member. */
function pathTo(holder: unknown, key: string, places: Places): readonly { readonly key: string | number }[] {
  const path: { readonly key: string | number }[] = []
  let member = { holder, key }
  // The outermost holder is one that JSON.stringify puts around the value.
  for (let above = places.get(holder); above !== undefined; above = places.get(above.holder)) {
    path.push({ key: Array.isArray(member.holder) ? Number(member.key) : member.key })
    member = above
  }
  return path.reverse()
}
