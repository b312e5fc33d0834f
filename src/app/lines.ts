import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { redisIn, socketIn } from '../embedded/data-folder.ts'
import { GoneError } from '../errors.ts'
import { RedlockGate } from '../gate/redlock-gate.ts'
import { attempt } from '../redis/attempt.ts'
import {
  type ClientKind,
  connect,
  disconnect,
  followPrimary,
  isOneServer,
  type RedisClient,
  type RedisTarget,
} from '../redis/connections.ts'
import { policyOf, whenAnswered, whenReachable, whenSettled } from '../redis/readiness.ts'
import { hidePassword } from '../redis/redis-url.ts'
import type { Closing } from './closing.ts'

/** What servers and workers need of the process that they run in. */
export interface Surroundings {
  readonly log: Logger
  /** Tells the person who started it about something that takes long. */
  readonly say: (line: string) => void
  /** True while no connection is waited on. Missing: one always is. */
  readonly isCalm?: () => boolean
}

/** The connections to Redis, each a client for one use. */
export interface Lines {
  /** Of the Redis that keeps the rounds; it answers, and does not evict. */
  readonly commands: RedisClient
  /** One more to the same Redis. */
  open(kind: ClientKind, name: string): RedisClient
  /** To these nodes, or to the same Redis where there are none. `owner`: by whom what is passed is known. */
  openGate(nodes: readonly RedisTarget[], owner?: string): RedlockGate
  /** Resolves when all of them are connected, or after a moment. */
  settled(): Promise<void>
}

/** @throws GoneError `REDIS_NOT_FOUND` if Redis does not answer, `CONFIG` if it would forget rounds */
export async function openLines(
  config: Config,
  redis: RedisTarget,
  { log, say, isCalm }: Surroundings,
  closing: Closing,
): Promise<Lines> {
  const clients: RedisClient[] = []
  const openTo = (target: RedisTarget, kind: ClientKind, name: string) => {
    const client = connect(target, kind, name, log, isCalm)
    closing.add('clients', () => disconnect(client))
    clients.push(client)
    return client
  }
  const commands = openTo(redis, 'commands', 'records')
  await whenReachable(commands, config.redisUrl && hidePassword(config.redisUrl), say)
  // A Redis that is full now may have room in a minute; one that evicts has been set up wrong.
  const policy = await whenAnswered(() =>
    attempt('read how Redis evicts', () => policyOf(commands, config.allowEviction)),
  )
  if (!policy.ready) throw new GoneError('CONFIG', policy.trouble)
  const unfollow = followPrimary(redis, clients, log)
  closing.add('clients', async () => unfollow())
  return {
    commands,
    open: (kind, name) => openTo(redis, kind, name),
    openGate(nodes, owner) {
      const targets = nodes.length > 0 ? nodes : [redis]
      return new RedlockGate(
        targets.map((node, index) => openTo(node, 'commands', `gate-${index}`)),
        log,
        // In a Cluster the gate's key is in another slot than the record's.
        nodes.length === 0 && isOneServer(commands),
        owner,
      )
    },
    settled: () => whenSettled(clients),
  }
}

/** REDIS_URL, or the embedded Redis of a server that was started in this folder. */
export async function redisOfWorkers({ redisUrl, dataDir }: Config): Promise<RedisTarget> {
  if (redisUrl !== undefined) return redisUrl
  const running = await redisIn(dataDir)
  if (running) return running
  const path = socketIn(dataDir)
  // It may be on its way back: it is waited for.
  if (existsSync(path)) return { path }
  throw new GoneError(
    'REDIS_NOT_FOUND',
    `REDIS_URL: workers need the Redis of a server; set it, or start "gone serve" in this folder first (none runs on ${resolve(dataDir)})`,
  )
}
