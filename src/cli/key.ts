import { randomBytes } from 'node:crypto'
import { type Command, Option } from 'commander'
import {
  ACTIONS,
  type ApiKey,
  formatKey,
  isKeyId,
  keyDigest,
  keyJson,
  readActions,
  readSystems,
  readWorkers,
} from '../core/api-key.ts'
import { span } from '../core/expect.ts'
import { type KeyShares, USUAL_SHARES } from '../core/key-shares.ts'
import { visible } from '../core/printable.ts'
import { GoneError } from '../errors.ts'
import { helpText } from './ask.ts'
import { formatShares, shareOptions, sharesIn } from './key-shares.ts'
import type { Run } from './key-store.ts'
import { by } from './option-values.ts'
import { EXIT, exitWith } from './terminal.ts'

interface StoreOptions {
  readonly redis?: string
  readonly json?: boolean
}

interface SessionsOptions extends StoreOptions {
  readonly end?: boolean
}

interface CreateOptions extends StoreOptions, KeyShares {
  readonly name: string
  readonly actions: string
  readonly systems: string
  readonly workers: string
  readonly expires?: number
}

const MAX_NAME = 100
const MAX_EXPIRES_MS = 3_650 * 86_400_000
const CREATE_ADMIN = 'gone key create --name ops --actions admin'
const CREATE_TEAM =
  "gone key create --name blue --actions submit,read --systems 'blue-*' --workers mail,webhook"
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
  const made = shareOptions(
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
      .option('--workers <list>', 'which workers it may submit to; * as above', '*')
      .addOption(
        new Option('--expires <duration>', 'when it ends, such as 90d (default: never)').argParser(
          by(span(1, MAX_EXPIRES_MS), 'a duration like 90d, of 3650d at the most'),
        ),
      ),
  )
  storeOptions(made)
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
  addEndings(key)
}

/** What ends more than one key. */
function addEndings(key: Command): void {
  storeOptions(
    key
      .command('sessions')
      .description('list who is logged in on the board, or log them out')
      .argument('[id]', 'only those of this key')
      .option('--end', 'log them out, on every server, at once'),
  )
    .addHelpText('after', keyHelp(['gone key sessions', 'gone key sessions --end'], ['shown or ended']))
    .action(sessions)
  storeOptions(
    key
      .command('disable')
      .description('let everybody in again, without a key, once the servers have been restarted')
      .option('--yes', 'do it, and do not only say what it does'),
  )
    .addHelpText(
      'after',
      '\nOnly where no key is left. A server that listens on loopback, or with\nGONE_KEYS=optional, needs none from its next start on.\n' +
        keyHelp(['gone key disable --yes'], ['done', 'there are keys, or --yes is missing']),
    )
    .action(disable)
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
  await finish(options, async ({ keys, where, audited }) => {
    const nowMs = Date.now()
    const text = formatKey({ id: randomBytes(6), secret: randomBytes(32) })
    const key: ApiKey = {
      id: text.slice(5, 17),
      name: nameOf(options.name),
      actions: readActions(options.actions),
      systems: readSystems(options.systems),
      workers: readWorkers(options.workers),
      shares: sharesIn(options),
      digest: keyDigest(text),
      createdAtMs: nowMs,
      ...(options.expires !== undefined && { expiresAtMs: nowMs + options.expires }),
    }
    const change = { command: 'gone key create', key: key.id, outcome: `made: ${termsOf(key)}` }
    await audited(change, () => keys.add(key))
    if (options.json) return JSON.stringify({ key: text, ...jsonOf(key), redis: where })
    process.stderr.write(
      `key ${key.id} of ${visible(key.name)}: ${termsOf(key)}. It is in ${where}, whose servers take it within 10 s. It is shown this once:\n`,
    )
    return text
  })
}

async function list(options: StoreOptions): Promise<void> {
  await finish(options, async ({ keys, uses }) => {
    // A user of Redis of before may not see them.
    const used = await uses.read().catch((): ReadonlyMap<string, number> => new Map())
    const found = [...(await keys.read()).keys].sort((a, b) => a.createdAtMs - b.createdAtMs)
    if (options.json) return JSON.stringify(found.map((key) => ({ ...jsonOf(key), ...usedOf(used, key) })))
    if (found.length === 0) return 'no keys'
    const nameWidth = Math.max(...found.map(({ name }) => visible(name).length))
    return found
      .map((key) => {
        const made = new Date(key.createdAtMs).toISOString().slice(0, 10)
        return `${key.id}  ${made}  ${visible(key.name).padEnd(nameWidth)}  ${termsOf(key)}${usedWords(used, key)}`
      })
      .join('\n')
  })
}

function usedOf(used: ReadonlyMap<string, number>, { id }: ApiKey): { lastUsedAt?: string } {
  const ms = used.get(id)
  return ms === undefined ? {} : { lastUsedAt: new Date(ms).toISOString() }
}

function usedWords(used: ReadonlyMap<string, number>, key: ApiKey): string {
  const { lastUsedAt } = usedOf(used, key)
  return lastUsedAt === undefined ? '' : `, last used ${lastUsedAt.slice(0, 16)}Z`
}

async function revoke(id: string, options: StoreOptions): Promise<void> {
  // Whoever pastes the whole key means the same.
  const keyId = id.replace(/^gone_([0-9a-f]{12})_.*$/, '$1')
  await finish(options, async ({ keys, audited }) => {
    checkId(keyId)
    const isThere = (await keys.read()).keys.some(({ id }) => id === keyId)
    const revoking = { command: 'gone key revoke', key: keyId, outcome: 'revoked' }
    // What is left of one that is no key of ours goes, too.
    const isRevoked = await (isThere ? audited(revoking, () => keys.remove(keyId)) : keys.remove(keyId))
    process.exitCode = isRevoked ? EXIT.done : EXIT.notNow
    if (options.json) return JSON.stringify({ id: keyId, revoked: isRevoked })
    return isRevoked ? `revoked ${keyId}; no server takes it 10 s from now` : `no key ${keyId}`
  })
}

async function sessions(id: string | undefined, options: SessionsOptions): Promise<void> {
  await finish(options, async ({ sessions: kept, audited }) => {
    if (id !== undefined) checkId(id)
    if (options.end) {
      const { length } = (await kept.list()).filter(({ keyId }) => id === undefined || keyId === id)
      const ending = {
        command: 'gone key sessions --end',
        ...(id && { key: id }),
        outcome: `ended ${length}`,
      }
      const count = length === 0 ? 0 : await audited(ending, () => kept.endAll(id))
      if (options.json) return JSON.stringify({ ended: count })
      return `ended ${count} ${count === 1 ? 'session' : 'sessions'}`
    }
    const found = (await kept.list()).filter(
      ({ keyId, untilMs }) => untilMs > Date.now() && (id === undefined || keyId === id),
    )
    const shown = found.map(({ keyId, untilMs }) => ({ key: keyId, until: new Date(untilMs).toISOString() }))
    if (options.json) return JSON.stringify(shown)
    return shown.map(({ key, until }) => `${key}  until ${until}`).join('\n') || 'no sessions'
  })
}

async function disable(options: StoreOptions & { readonly yes?: boolean }): Promise<void> {
  await finish(options, async ({ keys, note, audited }) => {
    const left = (await keys.read()).keys.length
    const isDone = left === 0 && options.yes === true
    if (isDone) {
      const disabling = { command: 'gone key disable', outcome: 'no key is needed after a restart' }
      await audited(disabling, () => keys.setInUse(false))
      note?.remove()
    }
    process.exitCode = isDone ? EXIT.done : EXIT.notNow
    if (options.json) return JSON.stringify({ disabled: isDone, keys: left })
    if (left > 0) return `there ${left === 1 ? 'is 1 key' : `are ${left} keys`}; revoke what is left first`
    const who = 'whoever can reach a server may do everything, without a key, once it is restarted'
    return isDone ? `disabled: ${who}` : `with --yes ${who}`
  })
}

function checkId(id: string): void {
  if (isKeyId(id)) return
  throw new GoneError(
    'INVALID_PARAMETER',
    'id: expected 12 hexadecimal digits, as "gone key list" shows them',
  )
}

async function finish(options: StoreOptions, run: Run<string>): Promise<void> {
  const { withKeys } = await import('./key-store.ts')
  try {
    process.stdout.write(`${await withKeys(options.redis, run)}\n`)
  } catch (error) {
    await exitWith(error, options.json)
  }
}

function jsonOf(key: ApiKey): object {
  return { ...keyJson(key, undefined), shares: { ...USUAL_SHARES, ...key.shares } }
}

function termsOf({ actions, systems, workers, shares, expiresAtMs }: ApiKey): string {
  const only = workers.includes('*') ? '' : `, to workers ${workers.join(', ')}`
  const until = expiresAtMs === undefined ? '' : `, until ${new Date(expiresAtMs).toISOString()}`
  return `${actions.join(', ')} on ${visible(systems.join(', '))}${visible(only)}${until}${formatShares(shares)}`
}

function nameOf(text: string): string {
  if (text.length >= 1 && text.length <= MAX_NAME) return text
  throw new GoneError('INVALID_PARAMETER', `name: expected 1 to ${MAX_NAME} characters, got ${text.length}`)
}
