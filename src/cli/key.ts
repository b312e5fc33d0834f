import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  ACTIONS,
  type ApiKey,
  formatKey,
  isKeyId,
  keyDigest,
  readActions,
  readSystems,
} from '../core/api-key.ts'
import { parseDuration } from '../core/duration.ts'
import { GoneError } from '../errors.ts'
import { helpText } from './ask.ts'
import { visible } from './printable.ts'
import { EXIT, exitWith } from './terminal.ts'

interface StoreOptions {
  readonly redis?: string
  readonly json?: boolean
}

interface CreateOptions extends StoreOptions {
  readonly name: string
  readonly actions: string
  readonly systems: string
  readonly expires?: number
}

const MAX_NAME = 100
const CREATE_ADMIN = 'gone key create --name ops --actions admin'
const CREATE_TEAM = "gone key create --name blue --actions elect,read --systems 'blue-*,cleaner'"
const REVOKE = 'gone key revoke 5f2c9a01b7de'
const NO_SUCH_KEY = 'there is no such key'

/** `gone key`: API keys, in Redis itself. Who can write there needs no other right, and so the first key needs no other. */
export function addKey(program: Command): void {
  const key = program
    .command('key')
    .description('make, list and revoke API keys, in the Redis of the servers')
    .addHelpText(
      'after',
      '\nWith the first key everybody needs one, on every server, within 10 s. Needs\n' +
        'REDIS_URL, or the folder where "gone serve" keeps its data; not the server.\n' +
        keyHelp([CREATE_ADMIN, 'gone key list', REVOKE], ['done', NO_SUCH_KEY]),
    )
  storeOptions(
    key
      .command('create')
      .description('make a key and print it, once: only its digest is kept')
      .requiredOption('--name <text>', 'what or whom it is for')
      .option(
        '--actions <list>',
        `what it permits: ${ACTIONS.join(', ')} (all of these)`,
        'elect,submit,read',
      )
      .option('--systems <list>', 'on which systems; * stands for any characters', '*')
      .addOption(
        new Option('--expires <duration>', 'when it ends, such as 90d (default: never)').argParser(duration),
      ),
  )
    .addHelpText('after', keyHelp([CREATE_ADMIN, CREATE_TEAM], ['made']))
    .action(create)
  storeOptions(key.command('list').description('list the keys; not what opens them'))
    .addHelpText(
      'after',
      keyHelp(['gone key list', 'gone key list --json'], ['shown, also if there are none']),
    )
    .action(list)
  storeOptions(
    key
      .command('revoke')
      .description('end a key: no server takes it 10 s later')
      .argument('<id>', 'the 12 digits after gone_'),
  )
    .addHelpText('after', keyHelp([REVOKE], ['revoked', NO_SUCH_KEY]))
    .action(revoke)
}

function keyHelp(examples: readonly string[], meanings: readonly string[]): string {
  return helpText(examples, meanings, 'could not tell: bad usage, or no answer from Redis')
}

function storeOptions(command: Command): Command {
  return command
    .option('--redis <url>', "the servers' Redis (REDIS_URL; else the one of this folder's server)")
    .option('--json', 'print JSON')
}

async function create(options: CreateOptions): Promise<void> {
  await finish(options, async (keys) => {
    const nowMs = Date.now()
    const text = formatKey({ id: randomBytes(6), secret: randomBytes(32) })
    const key: ApiKey = {
      id: text.slice(5, 17),
      name: nameOf(options.name),
      actions: readActions(options.actions),
      systems: readSystems(options.systems),
      digest: keyDigest(text),
      createdAtMs: nowMs,
      ...(options.expires !== undefined && { expiresAtMs: nowMs + options.expires }),
    }
    await keys.add(key)
    await keys.keepSessionSecret(randomBytes(32).toString('base64url'))
    if (options.json) return JSON.stringify({ key: text, ...jsonOf(key) })
    process.stderr.write(
      `key ${key.id} of ${visible(key.name)}: ${termsOf(key)}. Servers take it within 10 s. It is shown this once:\n`,
    )
    return text
  })
}

async function list(options: StoreOptions): Promise<void> {
  await finish(options, async (keys) => {
    const found = [...(await keys.read()).keys].sort((a, b) => a.createdAtMs - b.createdAtMs)
    if (options.json) return JSON.stringify(found.map(jsonOf))
    if (found.length === 0) return 'no keys'
    const nameWidth = Math.max(...found.map(({ name }) => visible(name).length))
    return found
      .map((key) => {
        const made = new Date(key.createdAtMs).toISOString().slice(0, 10)
        return `${key.id}  ${made}  ${visible(key.name).padEnd(nameWidth)}  ${termsOf(key)}`
      })
      .join('\n')
  })
}

async function revoke(id: string, options: StoreOptions): Promise<void> {
  // Whoever pastes the whole key means the same.
  const keyId = id.replace(/^gone_([0-9a-f]{12})_.*$/, '$1')
  await finish(options, async (keys) => {
    if (!isKeyId(keyId))
      throw new GoneError(
        'INVALID_PARAMETER',
        'id: expected 12 hexadecimal digits, as "gone key list" shows them',
      )
    const isRevoked = await keys.remove(keyId)
    process.exitCode = isRevoked ? EXIT.done : EXIT.notNow
    if (options.json) return JSON.stringify({ id: keyId, revoked: isRevoked })
    return isRevoked ? `revoked ${keyId}; no server takes it 10 s from now` : `no key ${keyId}`
  })
}

type Keys = import('../records/redis-keys.ts').RedisKeys

async function finish(options: StoreOptions, run: (keys: Keys) => Promise<string>): Promise<void> {
  try {
    process.stdout.write(`${await withKeys(options, run)}\n`)
  } catch (error) {
    exitWith(error, options.json)
  }
}

/** On the Redis of REDIS_URL, or on the data of this folder's server: with its Redis where that runs, else with our own. */
async function withKeys<T>({ redis }: StoreOptions, run: (keys: Keys) => Promise<T>): Promise<T> {
  const [
    { connect, disconnect },
    { RedisKeys },
    { readConfig },
    { createLog },
    { whenReachable },
    { hidePassword },
  ] = await Promise.all([
    import('../redis/connections.ts'),
    import('../records/redis-keys.ts'),
    import('../config.ts'),
    import('../log.ts'),
    import('../redis/readiness.ts'),
    import('../config.ts'),
  ])
  const config = readConfig({ ...process.env, ...(redis !== undefined && { REDIS_URL: redis }) })
  const log = createLog('gone-key', 'silent', process.env)
  const say = (line: string) => process.stderr.write(`${line}\n`)
  const embedded = config.redisUrl === undefined ? await openEmbedded(config.dataDir, say, log) : undefined
  const client = connect(config.redisUrl ?? (embedded as Embedded).target, 'commands', 'key', log)
  try {
    await whenReachable(client, config.redisUrl && hidePassword(config.redisUrl), say)
    return await run(new RedisKeys(client))
  } finally {
    await disconnect(client)
    await embedded?.stop()
  }
}

interface Embedded {
  readonly target: { readonly path: string } | { readonly host: string; readonly port: number }
  stop(): Promise<void>
}

async function openEmbedded(
  dataDir: string,
  say: (line: string) => void,
  log: import('pino').Logger,
): Promise<Embedded> {
  const path = resolve(dataDir, 'redis.sock')
  if (existsSync(path)) return { target: { path }, stop: async () => {} }
  const [{ startEmbeddedRedis }, { defaultCacheDir, findRedisServer }] = await Promise.all([
    import('../redis/embedded.ts'),
    import('../redis/redis-server.ts'),
  ])
  const { env } = process
  const binary = await findRedisServer({ cacheDir: defaultCacheDir(env, homedir()), env, say })
  const redis = await startEmbeddedRedis({ dataDir, binary, say, log })
  const target =
    redis.path === undefined ? { host: '127.0.0.1', port: redis.port as number } : { path: redis.path }
  return { target, stop: () => redis.stop() }
}

function jsonOf({ id, name, actions, systems, createdAtMs, expiresAtMs }: ApiKey): object {
  return {
    id,
    name,
    actions,
    systems,
    createdAt: new Date(createdAtMs).toISOString(),
    ...(expiresAtMs !== undefined && { expiresAt: new Date(expiresAtMs).toISOString() }),
  }
}

function termsOf({ actions, systems, expiresAtMs }: ApiKey): string {
  const until = expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`
  return `${actions.join(', ')} on ${visible(systems.join(', '))}${until}`
}

function nameOf(text: string): string {
  if (text.length >= 1 && text.length <= MAX_NAME) return text
  throw new GoneError('INVALID_PARAMETER', `name: expected 1 to ${MAX_NAME} characters, got ${text.length}`)
}

function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms) return ms
  throw new InvalidArgumentError('expected a duration like 90d.')
}
