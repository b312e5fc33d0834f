import { isIPv6 } from 'node:net'
import { type Command, Option } from 'commander'
import type { ClientOptions } from '../client/client.ts'
import { readSecretFile, withSecretFiles } from '../secrets.ts'
import { SETTINGS } from '../settings.ts'
import { duration } from './option-values.ts'
import { quickFetch } from './quick-fetch.ts'

/** Which server a command asks, as whom, and for how long. */
export interface ServerOptions {
  readonly server: string
  readonly keyFile?: string
  readonly timeout: number
}

export function addServerOptions(command: Command): Command {
  return (
    addServerOption(command)
      // Not the key itself: whoever lists processes would see it.
      .option('--key-file <file>', 'where the API key is (GONE_KEY, or the file of GONE_KEY_FILE)')
      .addOption(
        new Option('--timeout <duration>', 'how long to ask again while no server can answer')
          .argParser(duration)
          .default(10_000, '10s'),
      )
  )
}

export function addServerOption(command: Command): Command {
  return command.addOption(
    new Option('--server <url>', 'the gone server').env('GONE_URL').default(ownServer(process.env)),
  )
}

/** The server that this environment's settings start. */
export function ownServer({ GONE_HOST, GONE_PORT, GONE_BASE_PATH }: NodeJS.ProcessEnv): string {
  const { host, port } = SETTINGS
  const address = GONE_HOST?.trim() || host.fallback
  const asked = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address
  const number = port.rule.fromText(GONE_PORT?.trim() || port.fallback)
  return `http://${isIPv6(asked) ? `[${asked}]` : asked}:${number ?? port.fallback}${GONE_BASE_PATH?.trim() ?? ''}`
}

/** What the command's client is made of. @throws GoneError `CONFIG` */
export function clientOptions({ server, keyFile, timeout }: ServerOptions): ClientOptions {
  return { url: server, timeoutMs: timeout, fetch: quickFetch, ...clientKey(keyFile) }
}

/** Nothing where none was given. */
function clientKey(keyFile: string | undefined): { readonly key?: string } {
  const { GONE_KEY, GONE_KEY_FILE } = process.env
  const key =
    keyFile !== undefined
      ? readSecretFile('--key-file', keyFile)
      : withSecretFiles({ GONE_KEY, GONE_KEY_FILE }).GONE_KEY?.trim()
  return key ? { key } : {}
}
