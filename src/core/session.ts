import { createHash } from 'node:crypto'
import type { ApiKey } from './api-key.ts'

/** How long somebody stays logged in. */
export const SESSION_MS = 12 * 3_600_000

/** Somebody who has shown a key to see the pages, as it is stored: with it alone nobody is logged in. */
export interface Session {
  /** Of the token in the cookie: the SHA-256, in base64url. */
  readonly digest: string
  readonly keyId: string
  /** Of the key that was shown: another key of the same id is not logged in. */
  readonly keyDigest: string
  /** Unix ms. */
  readonly untilMs: number
}

/** Sessions in the store that all facades share: a log-out on one is one on all, at once. */
export interface Sessions {
  /** Of too many sessions, or too many of one key, those that end first are ended for it. */
  add(session: Session): Promise<void>
  /** Undefined: there is none, or it is over. */
  find(digest: string, nowMs: number): Promise<Session | undefined>
  end(digest: string): Promise<void>
  /** All there are, those that are over included until somebody logs in. */
  list(): Promise<readonly Session[]>
  /** Ends all, or those of one key, and says how many there were. */
  endAll(keyId?: string): Promise<number>
}

export function sessionDigest(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

export function isSessionOf(session: Session, key: ApiKey): boolean {
  return session.keyId === key.id && session.keyDigest === key.digest
}
