import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freeLoopbackPort } from '../../src/embedded/redis-child.ts'
import { defaultCacheDir, findRedisServer } from '../../src/embedded/redis-server.ts'
import type { TestRedis } from './redis.ts'

const run = promisify(execFile)

export interface Certificates {
  /** The authority's own. */
  readonly ca: string
  /** Of the authority, for localhost by this name and no address. */
  readonly cert: string
  readonly key: string
}

/** More than one Redis, from what one of them is told. */
export interface Form {
  /** Such as `127.0.0.1:7000,127.0.0.1:7001`. */
  readonly addresses: string
  stop(): Promise<void>
}

export async function redisCli(args: readonly string[]): Promise<string> {
  const { path, env } = await binary()
  const { stdout } = await run(join(dirname(path), 'redis-cli'), args, { env: { ...process.env, ...env } })
  return stdout
}

/** What a node of a Cluster is started with. */
export const CLUSTER_NODE = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']

/** Makes a Cluster of nodes that run. */
export async function formCluster(ports: readonly number[], tls?: Certificates): Promise<string> {
  const addresses = ports.map((port) => `127.0.0.1:${port}`)
  const secured = tls ? ['--tls', '--cacert', tls.ca] : []
  await redisCli([...secured, '--cluster', 'create', ...addresses, '--cluster-yes'])
  await until(20_000, async () => {
    const states = await Promise.all(
      ports.map((port) => redisCli([...secured, '-p', String(port), 'cluster', 'info'])),
    )
    return states.every((state) => state.includes('cluster_state:ok'))
  })
  return addresses.join(',')
}

/**
 * A Sentinel that watches a primary as `rounds`, and fails over to its replicas after a second of silence.
 *
 * @param password what it asks of whoever asks it
 */
export async function startSentinel(
  primaryPort: number,
  tls?: Certificates,
  password?: string,
): Promise<Form> {
  const port = await freeLoopbackPort()
  const folder = await mkdtemp(join(tmpdir(), 'gone-test-sentinel-'))
  const secured = tls
    ? [`port 0`, `tls-port ${port}`, 'tls-replication yes', 'tls-auth-clients no'].concat(
        `tls-ca-cert-file ${tls.ca}`,
        `tls-cert-file ${tls.cert}`,
        `tls-key-file ${tls.key}`,
      )
    : [`port ${port}`]
  const lines = [
    ...secured,
    'bind 127.0.0.1',
    ...(password === undefined ? [] : [`requirepass ${password}`]),
    ...(tls ? ['sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes'] : []),
    `sentinel monitor rounds ${tls ? 'localhost' : '127.0.0.1'} ${primaryPort} 1`,
    'sentinel down-after-milliseconds rounds 1000',
    'sentinel failover-timeout rounds 5000',
  ]
  const file = join(folder, 'sentinel.conf')
  await writeFile(file, `${lines.join('\n')}\n`)
  const { path, env } = await binary()
  const sentinel = spawn(path, [file, '--sentinel'], { env: { ...process.env, ...env }, stdio: 'ignore' })
  const endWithUs = () => sentinel.kill('SIGKILL')
  process.once('exit', endWithUs)
  const stop = async () => {
    process.off('exit', endWithUs)
    const ended = once(sentinel, 'exit')
    if (sentinel.exitCode === null && sentinel.signalCode === null && sentinel.kill('SIGKILL')) await ended
    await rm(folder, { recursive: true, force: true })
  }
  const flags = [
    ...(tls ? ['--tls', '--cacert', tls.ca] : []),
    ...(password === undefined ? [] : ['--no-auth-warning', '-a', password]),
  ]
  const ping = () => redisCli([...flags, '-p', String(port), 'ping']).catch(() => '')
  await until(10_000, async () => (await ping()) === 'PONG\n').catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { addresses: `127.0.0.1:${port}`, stop }
}

export interface Pair {
  readonly primary: TestRedis
  readonly replica: TestRedis
  /** Of the sentinel that watches them. */
  readonly url: string
  /** The replica hears nothing more; everybody else does. */
  cutOff(): Promise<void>
  /** Resolves when the sentinel has made the replica the primary, and names it so. */
  failedOver(): Promise<void>
  /** Ends the sentinel. */
  stop(): Promise<void>
}

/** A primary, its replica, and a Sentinel that knows both. */
export async function startPair(start: (args: readonly string[]) => Promise<TestRedis>): Promise<Pair> {
  const primary = await start([])
  const ask = (port: number | string, ...words: string[]) => redisCli(['-p', String(port), ...words])
  await ask(primary.port, 'acl', 'setuser', 'follower', 'on', '>follow', '~*', '&*', '+@all')
  const follow = ['--masteruser', 'follower', '--masterauth', 'follow']
  const replica = await start(['--replicaof', '127.0.0.1', String(primary.port), ...follow])
  const sentinel = await startSentinel(primary.port)
  const [, port = ''] = sentinel.addresses.split(':')
  await until(20_000, async () => {
    const known = await ask(port, 'sentinel', 'replicas', 'rounds')
    const link = await ask(replica.port, 'info', 'replication')
    return known.includes(String(replica.port)) && link.includes('master_link_status:up')
  }).catch(async (error: unknown) => {
    await sentinel.stop()
    throw error
  })
  return {
    primary,
    replica,
    url: `redis+sentinel://${sentinel.addresses}/rounds`,
    async cutOff() {
      await ask(primary.port, 'acl', 'setuser', 'follower', 'off')
      await ask(primary.port, 'client', 'kill', 'type', 'replica')
    },
    failedOver: () =>
      until(30_000, async () => {
        const named = await ask(port, 'sentinel', 'get-master-addr-by-name', 'rounds')
        return named.includes(String(replica.port)) && (await ask(replica.port, 'role')).startsWith('master')
      }),
    stop: sentinel.stop,
  }
}

/** An authority of our own, and a certificate of it for localhost. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const own = ['-x509', ...newKey, '-days', '2', '-subj', '/CN=gone test CA']
  await openssl('req', ...own, '-keyout', 'ca.key', '-out', 'ca.pem')
  const request = ['-new', ...newKey, '-subj', '/CN=localhost']
  await openssl('req', ...request, '-keyout', 'redis.key', '-out', 'redis.csr')
  await writeFile(join(folder, 'names'), 'subjectAltName=DNS:localhost\n')
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
  await openssl('x509', '-req', '-in', 'redis.csr', ...signed, '-out', 'redis.pem')
  return { ca: join(folder, 'ca.pem'), cert: join(folder, 'redis.pem'), key: join(folder, 'redis.key') }
}

/** What makes a server listen with TLS on a port of its own, beside the plain one. */
export function tlsArgs(port: number, { ca, cert, key }: Certificates): string[] {
  const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key]
  return ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files]
}

function binary() {
  return findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: () => {},
  })
}

/** Nothing tells when it is so, so it is asked again. */
async function until(withinMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + withinMs
  while (!(await isSo())) {
    if (performance.now() > giveUpMs) throw new Error(`not so within ${withinMs} ms: ${isSo}`)
    await sleep(100)
  }
}
