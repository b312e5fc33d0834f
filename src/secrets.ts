import { readFileSync, statSync } from 'node:fs'
import { GoneError } from './errors.ts'
import { passwordsIn } from './redis/redis-url.ts'
import { SECRETS } from './settings.ts'

type Env = Readonly<Record<string, string | undefined>>

const MAX_FILE_BYTES = 65_536
const SHORTEST_HIDDEN = 4

/**
 * The environment with the secrets that are in files: `REDIS_URL_FILE=/run/secrets/redis-url`.
 *
 * @throws GoneError `CONFIG` if a file cannot be read, or both are given; the content is never shown
 */
export function withSecretFiles(env: Env): Record<string, string | undefined> {
  const read: Record<string, string | undefined> = { ...env }
  for (const name of SECRETS) {
    const file = env[`${name}_FILE`]?.trim()
    if (!file) continue
    if (env[name]?.trim()) throw new GoneError('CONFIG', `${name}: expected it or ${name}_FILE, got both`)
    read[name] = readSecretFile(`${name}_FILE`, file)
  }
  return read
}

/** @throws GoneError `CONFIG` */
export function readSecretFile(name: string, file: string): string {
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw new Error('it is too large')
    const text = readFileSync(file, 'utf8').trim()
    if (text) return text
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GoneError('CONFIG', `${name}: cannot read ${file}: ${why}`, { cause })
  }
  throw new GoneError('CONFIG', `${name}: expected a secret in ${file}, got an empty file`)
}

/** Replaces in a text what nobody should read in a log: the secrets of this environment, and whatever looks like a key. */
export function redactor(env: Env): (text: string) => string {
  const hidden = [...new Set(SECRETS.flatMap((name) => partsToHide(name, env[name]?.trim() ?? '')))]
    .filter((part) => part.length >= SHORTEST_HIDDEN)
    .sort((a, b) => b.length - a.length)
  return (text) =>
    hidden.reduce(
      (shown, part) => shown.replaceAll(part, '***'),
      text.replace(/gone_([0-9a-f]{12})_[\w-]{43}/g, 'gone_$1_***'),
    )
}

/** The same in a line of JSON, which stays one: a secret may be found in a number, or in the end of an escape. */
export function jsonRedactor(redact: (text: string) => string): (line: string) => string {
  const inString = (written: string) => {
    const text = JSON.parse(written) as string
    const shown = redact(text)
    return shown === text ? written : JSON.stringify(shown)
  }
  return (line) => (redact(line) === line ? line : line.replace(/"(?:[^"\\]|\\.)*"/g, inString))
}

function partsToHide(name: string, value: string): readonly string[] {
  // A text may quote one as JSON has it.
  return secretsIn(name, value).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
}

/** Of a Redis its passwords, as they are written and as they are meant. */
function secretsIn(name: string, value: string): readonly string[] {
  if (name === 'GONE_WEBHOOK_SECRETS' || name === 'OTEL_EXPORTER_OTLP_HEADERS')
    return value.split(/[,\n]/).map((entry) => entry.slice(entry.indexOf('=') + 1).trim())
  if (name === 'GONE_ALERT_URL') return value.split(',').map((url) => url.trim())
  if (!name.includes('REDIS')) return [value]
  return value.split(name === 'GATE_REDIS_URLS' ? ',' : /$/).flatMap((url) => passwordsIn(url.trim()))
}
