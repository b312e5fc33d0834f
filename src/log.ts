import { type Logger, pino } from 'pino'
import type { Config } from './config.ts'
import { redactor } from './secrets.ts'

/**
 * The log of a process: lines of JSON, so that whatever comes from outside is escaped. Secrets are replaced in the
 * finished line, wherever they came from: an error of the Redis client carries the arguments of its command.
 */
export function createLog(
  name: string,
  level: Config['logLevel'],
  env: Readonly<Record<string, string | undefined>>,
): Logger {
  const redact = redactor(env)
  return pino({ name, level, hooks: { streamWrite: redact }, serializers: { err: errorFields } })
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
