/** How grave what a line says is, from the least on. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const WORDS: Readonly<Record<LogLevel, readonly string[]>> = {
  trace: ['trace', 'verbose', 'silly'],
  debug: ['debug', 'dbg'],
  info: ['info', 'information', 'notice'],
  warn: ['warn', 'warning'],
  error: ['error', 'err', 'severe'],
  fatal: ['fatal', 'critical', 'crit', 'alert', 'emerg', 'emergency', 'panic'],
}
const BY_WORD: ReadonlyMap<string, LogLevel> = new Map(
  LOG_LEVELS.flatMap((level) => WORDS[level].map((word) => [word, level] as const)),
)
/** Members in which loggers write it. */
const MEMBERS = ['level', 'severity', 'levelname', 'lvl', 'log.level'] as const
/** And in which they write it in pairs. */
const PAIRS = ['level=', 'lvl=', 'severity='] as const
const VALUE = /^[A-Za-z]{1,12}|^\d{1,3}/
const COLOR = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]{0,16}m`, 'g')
/** A word in brackets, or before a colon. */
const TOKEN = /^([[(<|]?)([A-Za-z]{3,11})([\])>|:].*)?$/
/** It stands before the message, behind a time and perhaps the name of a thread. */
const HEAD = { characters: 160, tokens: 5 } as const

/**
 * The level that a line says by itself: JSON as pino, bunyan, winston and others write it, `level=warn`, or a word such as `WARN`,
 * `[warn]` or `Warning:` at its beginning. Undefined: it says none.
 */
export function levelIn(text: string): LogLevel | undefined {
  if (text.startsWith('{')) return levelInJson(text)
  const paired = levelInPairs(text)
  if (paired) return paired
  const tokens = text.slice(0, HEAD.characters).replace(COLOR, '').trim().split(/\s+/, HEAD.tokens)
  for (const [index, token] of tokens.entries()) {
    const level = levelOfToken(token, index === 0)
    if (level) return level
  }
  return undefined
}

/** What a line counts as. One that says nothing is information, or an error where it was printed to stderr. */
export function levelOf({ text, isError }: { readonly text: string; readonly isError: boolean }): LogLevel {
  return levelIn(text) ?? (isError ? 'error' : 'info')
}

export function isAtLeast(level: LogLevel, least: LogLevel): boolean {
  return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least)
}

function levelInJson(text: string): LogLevel | undefined {
  try {
    const line = JSON.parse(text) as Readonly<Record<string, unknown>>
    const said = MEMBERS.map((name) => line[name]).find((value) => value !== undefined)
    return levelOfValue(said)
  } catch {
    return levelInCutJson(text)
  }
}

/** Of a line that was cut, and so is no JSON any more. */
function levelInCutJson(text: string): LogLevel | undefined {
  for (const name of MEMBERS) {
    const begin = `"${name}":`
    const at = text.indexOf(begin)
    if (at >= 0) return levelOfText(text.slice(at + begin.length).trimStart())
  }
  return undefined
}

function levelInPairs(text: string): LogLevel | undefined {
  for (const begin of PAIRS) {
    const at = text.indexOf(begin)
    if (at === 0 || (at > 0 && text[at - 1] === ' ')) return levelOfText(text.slice(at + begin.length))
  }
  return undefined
}

/** Of what begins with it, in quotes or not. */
function levelOfText(text: string): LogLevel | undefined {
  const [value = ''] = VALUE.exec(text.startsWith('"') ? text.slice(1) : text) ?? []
  return /^\d/.test(value) ? levelOfValue(Number(value)) : levelOfWord(value)
}

function levelOfValue(value: unknown): LogLevel | undefined {
  if (typeof value === 'string') return levelOfWord(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  // Below 8 they are those of syslog, which counts down.
  if (value < 8)
    return value < 3 ? 'fatal' : value < 4 ? 'error' : value < 5 ? 'warn' : value < 7 ? 'info' : 'debug'
  return LOG_LEVELS[Math.min(Math.max(Math.ceil(value / 10), 1), LOG_LEVELS.length) - 1]
}

function levelOfWord(word: string): LogLevel | undefined {
  return BY_WORD.get(word.toLowerCase())
}

/** A bare word in small letters may as well be part of a sentence, unless it is a level's own name and comes first. */
function levelOfToken(token: string, isFirst: boolean): LogLevel | undefined {
  const [, open = '', word = '', behind] = TOKEN.exec(token) ?? []
  const isMarked = open !== '' || behind !== undefined || word === word.toUpperCase()
  const isName = isFirst && LOG_LEVELS.some((level) => level === word)
  return isMarked || isName ? levelOfWord(word) : undefined
}
