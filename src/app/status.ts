import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { StatusJson } from '../core/status-wire.ts'
import type { Readiness } from '../http/routes/ops-routes.ts'
import { attempt } from '../redis/attempt.ts'
import { readInfo } from '../redis/redis-info.ts'
import { ServerBeat } from '../service/server-beat.ts'
import { RedisServers } from '../store/redis-servers.ts'
import { VERSION } from '../version.ts'
import type { Ground } from './assembly.ts'
import type { assembleRounds } from './rounds.ts'

/** What tells that this server is there, and how all of it stands. @param urlOf asked once it listens */
export function assembleStatus(
  { lines, log }: Ground,
  { records }: Pick<ReturnType<typeof assembleRounds>, 'records'>,
  { readiness, urlOf }: { readonly readiness: () => Promise<Readiness>; readonly urlOf: () => string },
) {
  const servers = new RedisServers(lines.commands)
  const id = randomBytes(6).toString('base64url')
  const self = () => ({
    id,
    host: hostname(),
    pid: process.pid,
    version: VERSION,
    node: process.versions.node,
    url: urlOf(),
  })
  return {
    works: [new ServerBeat({ servers, self, log })],
    http: {
      servers,
      overdueCount: () => records.overdueCount(),
      async redisStatus(): Promise<StatusJson['redis']> {
        const [{ policy: _, runId: __, ...info }, found] = await Promise.all([
          attempt('look at Redis', () => readInfo(lines.commands)),
          readiness(),
        ])
        const known = Object.fromEntries(Object.entries(info).filter(([, value]) => value !== undefined))
        return { ...found, ...known }
      },
    },
  }
}
