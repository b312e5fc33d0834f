import { isKeyId } from '../core/api-key.ts'
import type { Session, Sessions } from '../core/session.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'

const SESSIONS_KEY = 'gone:sessions'
const MAX_SESSIONS = 1_000
const MAX_OF_A_KEY = 100

/** Sessions in Redis: one hash, a field a session. */
export class RedisSessions implements Sessions {
  constructor(private readonly redis: RedisClient) {}

  async add(session: Session): Promise<void> {
    const { digest, keyId, keyDigest, untilMs } = session
    await attempt('keep the session', async () => {
      const kept = (await this.list()).sort((a, b) => a.untilMs - b.untilMs)
      const own = kept.filter((other) => other.keyId === keyId)
      const tooMany = [...tooManyOf(kept, MAX_SESSIONS), ...tooManyOf(own, MAX_OF_A_KEY)]
      if (tooMany.length > 0) await this.redis.hdel(SESSIONS_KEY, ...tooMany.map((other) => other.digest))
      await this.redis.hset(SESSIONS_KEY, digest, `${keyId} ${keyDigest} ${untilMs}`)
    })
  }

  async find(digest: string, nowMs: number): Promise<Session | undefined> {
    const text = await attempt('look for the session', () => this.redis.hget(SESSIONS_KEY, digest))
    const session = text === null ? undefined : sessionOf(digest, text)
    return session && session.untilMs > nowMs ? session : undefined
  }

  async end(digest: string): Promise<void> {
    await attempt('end the session', () => this.redis.hdel(SESSIONS_KEY, digest))
  }

  async endAll(keyId?: string): Promise<number> {
    return attempt('end the sessions', async () => {
      const ended = (await this.list()).filter((session) => keyId === undefined || session.keyId === keyId)
      if (ended.length === 0) return 0
      return this.redis.hdel(SESSIONS_KEY, ...ended.map(({ digest }) => digest))
    })
  }

  async list(): Promise<Session[]> {
    const fields = await attempt('read the sessions', () => this.redis.hgetall(SESSIONS_KEY))
    return Object.entries(fields).flatMap(([digest, text]) => sessionOf(digest, text) ?? [])
  }
}

/** Those that must go so that there is room for one more; the first are over first. */
function tooManyOf(sessions: readonly Session[], max: number): readonly Session[] {
  return sessions.slice(0, Math.max(0, sessions.length + 1 - max))
}

/** Whatever is not a session of ours logs nobody in. */
function sessionOf(digest: string, text: string): Session | undefined {
  const [keyId = '', keyDigest = '', until = ''] = text.split(' ')
  return isKeyId(keyId) && /^\d{1,15}$/.test(until)
    ? { digest, keyId, keyDigest, untilMs: Number(until) }
    : undefined
}
