import { type Logger, pino } from 'pino'
import type { Config } from './config.ts'
import { LogOutput } from './log-output.ts'
import { logText } from './log-text.ts'
import { jsonRedactor, redactor } from './secrets.ts'

/**
 * The log of a process: lines of JSON, or on a terminal lines for people; whatever comes from outside is escaped in both.
 * Secrets are replaced in the finished line, wherever they came from: an error of the Redis client carries the arguments
 * of its command.
 */
export function createLog(
  name: string,
  { logLevel: level, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>,
  env: Readonly<Record<string, string | undefined>>,
): Logger {
  const redact = redactor(env)
  const { isTTY } = process.stdout
  const isText = logFormat === 'text' || (logFormat === 'auto' && isTTY === true)
  const text = logText(isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb')
  const streamWrite = isText ? (line: string) => redact(text(line)) : jsonRedactor(redact)
  const output = new LogOutput(1, (lines) => log.warn({ lines }, 'lines of this log were lost'))
  const log = pino({ name, level, hooks: { streamWrite }, serializers: { err: errorFields } }, output)
  return log
}

/** What a person needs of an error. Its other members may hold anything. */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  return {
    type: name,
    message,
    stack,
    ...(code !== undefined && { code: String(code) }),
    ...(cause !== undefined && { cause: String(cause) }),
  }
}
