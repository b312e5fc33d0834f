import type { FastifyRequest } from 'fastify'
import { type Action, type ApiKey, permits, permitsWorker, type Scope } from '../../core/api-key.ts'
import { type ShareKind, USUAL_SHARES } from '../../core/key-shares.ts'
import { GoneError } from '../../errors.ts'
import type { Calm } from '../../service/calm.ts'
import type { KeyUseNotes } from '../../service/key-uses.ts'
import type { KeyFinding, Keyring } from '../../service/keyring.ts'
import type { Shares } from '../../service/shares.ts'
import { addressBlock } from './address-block.ts'
import type { Callers } from './caller.ts'
import type { Origins } from './origins.ts'
import { type Rate, RateLimit } from './rate-limit.ts'
import { WaitShares } from './wait-shares.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Who may do what here. */
    access: Access
  }
  interface FastifyRequest {
    /** The key of whoever is logged in, on the paths that a login opens, once it was looked at. */
    sessionKey: ApiKey | undefined
    /** Whether whoever is logged in still is, on the same paths. */
    isStillIn: (() => Promise<boolean>) | undefined
  }
}

export interface AccessParts {
  readonly keyring: Keyring
  readonly keyUses: Pick<KeyUseNotes, 'note'>
  readonly calm: Calm
  readonly callers: Callers
  readonly origins: Origins
  /** Requests a second from each address and with each key; 0: any number. */
  readonly requestsPerSecond: number
  readonly shares: Shares
  readonly nowMs: () => number
}

/** Of all kinds. Those that look at a round each for itself are fewer: `RoundWatch` counts them. */
const MAX_WAITING = 10_000

/** Who may do what. Where nobody needs a key and there is no limit, to ask costs two comparisons. */
export class Access {
  readonly keyring: Keyring
  readonly callers: Callers
  readonly origins: Origins
  readonly calm: Calm
  private readonly perSecond: number
  private readonly requests: RateLimit
  private readonly submissions: RateLimit
  private readonly waits = new WaitShares()
  private waiting = 0
  private readonly shares: Shares
  private readonly keyUses: Pick<KeyUseNotes, 'note'>

  constructor({ keyring, keyUses, calm, callers, origins, requestsPerSecond, shares, nowMs }: AccessParts) {
    this.keyring = keyring
    this.keyUses = keyUses
    this.calm = calm
    this.callers = callers
    this.origins = origins
    this.perSecond = requestsPerSecond
    this.requests = new RateLimit(nowMs)
    this.submissions = new RateLimit(nowMs)
    this.shares = shares
  }

  /**
   * Whoever asks for more than to be told something ends the calm. To be called before any other of these.
   *
   * @returns what to wait for, where what is known of the keys is of before the calm
   * @throws GoneError `STORE_UNAVAILABLE`, by what is waited for
   */
  waking(action: Action | readonly Action[] | 'open'): Promise<void> | undefined {
    if (action === 'open') return undefined
    if (action !== 'read') this.calm.end()
    return this.keyring.isStale ? this.keyring.wake() : undefined
  }

  /**
   * Why the request is not answered; undefined if it is. Looks at no body.
   *
   * @param scopeOf the system that the request is about
   */
  refusal(
    request: FastifyRequest,
    action: Action | readonly Action[] | 'open',
    scopeOf: (request: FastifyRequest) => Scope,
  ): GoneError | undefined {
    const limited = this.limitedAddress(request)
    if (limited || action === 'open') return limited
    const foreign = this.origins.foreign(request)
    // Whoever shows a key with the request is no website, whatever name it has for this server.
    if (foreign || this.keyring.isOpen) return foreign ?? this.origins.unknownHost(request)
    const found = this.bearer(request)
    if (found instanceof GoneError) return found
    request.keyId = found.id
    this.noteUse(found)
    return this.limitedKey(found) ?? forbidden(found, action, scopeOf(request))
  }

  /** Like `refusal`, without counting the request again: for what only the body or the store could tell. */
  forbidden(
    request: FastifyRequest,
    action: Action | readonly Action[],
    scope: Scope,
  ): GoneError | undefined {
    if (this.keyring.isOpen) return undefined
    const found = this.bearer(request)
    return found instanceof GoneError ? found : forbidden(found, action, scope)
  }

  /**
   * Whether who was let in to read of all systems would be still. Where that cannot be told, who has shown a key comes again
   * and hears why; the visitor of a page stays, as `isStillIn` has it.
   */
  async mayStillRead(request: FastifyRequest): Promise<boolean> {
    try {
      await this.waking('read')
      return (await request.isStillIn?.()) ?? this.forbidden(request, 'read', 'all') === undefined
    } catch {
      return false
    }
  }

  /**
   * Whether the request's key lets jobs be submitted to this worker, which only the body, or a schedule, could tell.
   *
   * @throws GoneError `FORBIDDEN`
   */
  checkWorker(request: FastifyRequest, worker: string, what: 'submit to' | 'work for' = 'submit to'): void {
    const key = this.keyOf(request)
    if (key === undefined || permitsWorker(key, worker)) return
    throw new GoneError('FORBIDDEN', `the key ${key.id} does not permit to ${what} the worker ${worker}`)
  }

  /**
   * Lets a request wait, whatever for, if this server and its key have a wait left.
   *
   * @throws GoneError `TOO_MANY_STANDBYS`, `RATE_LIMITED`
   */
  async waitingFor<T>(request: FastifyRequest, wait: () => Promise<T>): Promise<T> {
    const key = this.keyOf(request)
    if (this.waiting >= MAX_WAITING)
      throw new GoneError('TOO_MANY_STANDBYS', `${MAX_WAITING} requests wait here already; retry elsewhere`)
    this.waiting += 1
    try {
      return key === undefined ? await wait() : await this.withinShare(key, wait)
    } finally {
      this.waiting -= 1
    }
  }

  private async withinShare<T>(key: ApiKey, wait: () => Promise<T>): Promise<T> {
    const most = key.shares.waits ?? USUAL_SHARES.waits
    if (!this.waits.enter(key.id, most))
      throw new GoneError(
        'RATE_LIMITED',
        `too many requests of the key ${key.id} wait here already: its share of waits, ${most}`,
      )
    try {
      return await wait()
    } finally {
      this.waits.leave(key.id)
    }
  }

  /** The key of a request that was let in; undefined where none was needed. @throws GoneError if it is no key any more */
  private keyOf(request: FastifyRequest): ApiKey | undefined {
    if (this.keyring.isOpen) return undefined
    const key = this.bearer(request)
    if (key instanceof GoneError) throw key
    return key
  }

  noteUse(key: ApiKey): void {
    this.keyUses.note(key)
  }

  limitedAddress(request: FastifyRequest): GoneError | undefined {
    if (this.perSecond === 0) return undefined
    const waitMs = this.requests.wait(addressBlock(this.callers.ip(request)), rateOf(this.perSecond))
    return waitMs === 0 ? undefined : limited('too many requests from this address; slow down', waitMs)
  }

  limitedKey({ id, shares }: ApiKey): GoneError | undefined {
    const perSecond = shares.rate ?? this.perSecond
    if (perSecond === 0) return undefined
    const waitMs = this.requests.wait(id, rateOf(perSecond))
    if (waitMs === 0) return undefined
    return limited(
      `too many requests with the key ${id}: its share of requests, ${perSecond} a second`,
      waitMs,
    )
  }

  /**
   * Counts a submission, before it is made.
   *
   * @throws GoneError `RATE_LIMITED`
   */
  countSubmission(request: FastifyRequest): void {
    const key = this.keyOf(request)
    if (key?.shares.submissions === undefined) return
    const { id, shares } = key
    const waitMs = this.submissions.wait(id, submissionRate(shares.submissions as number))
    if (waitMs === 0) return
    const detail = `too many submissions with the key ${id}: its share of submissions, ${shares.submissions} a minute`
    throw limited(detail, waitMs)
  }

  /** Counts what a request has submitted besides the one that was counted before. */
  countMore(request: FastifyRequest, submissions: number): void {
    const key = this.keyOf(request)
    if (key?.shares.submissions === undefined || submissions <= 0) return
    this.submissions.pay(key.id, submissionRate(key.shares.submissions), submissions)
  }

  /**
   * Counts what is to be kept for the request's key.
   *
   * @throws GoneError `QUOTA_EXCEEDED`
   */
  async claim(request: FastifyRequest, kind: ShareKind, name: string, weight?: number): Promise<void> {
    const key = this.keyOf(request)
    if (key !== undefined) await this.shares.claim(key, kind, name, weight)
  }

  /** Counts it no more, for this key. */
  async release(request: FastifyRequest, kind: ShareKind, name: string): Promise<void> {
    const key = this.keyOf(request)
    if (key !== undefined) await this.shares.release(key, kind, name)
  }

  /** True if what is kept counts for somebody. */
  counts(request: FastifyRequest): boolean {
    return this.keyOf(request) !== undefined
  }

  /** The key that the request shows, or was logged in with; or why there is none. */
  bearer(request: FastifyRequest): ApiKey | GoneError {
    return request.sessionKey ?? this.shown(request)
  }

  /** The key that the request's header shows, as far as it is one now; or why there is none. */
  shown(request: FastifyRequest): ApiKey | GoneError {
    const { authorization } = request.headers
    if (authorization === undefined) {
      return new GoneError('UNAUTHORIZED', 'expected the header "Authorization: Bearer gone_...", got none')
    }
    // Node keeps the first of several; a proxy may have looked at another.
    if (isSentTwice(request, 'authorization'))
      return new GoneError('UNAUTHORIZED', 'expected one Authorization header, got several')
    const text = /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
    if (text === undefined)
      return new GoneError('UNAUTHORIZED', 'expected the header "Authorization: Bearer gone_..."')
    return keyIn(this.keyring.find(text))
  }
}

const BURST_S = 10

function rateOf(perSecond: number): Rate {
  return { perSecond, burst: perSecond * BURST_S }
}

function submissionRate(perMinute: number): Rate {
  return { perSecond: perMinute / 60, burst: perMinute }
}

function limited(detail: string, waitMs: number): GoneError {
  return new GoneError('RATE_LIMITED', detail, { retryAfterS: Math.ceil(waitMs / 1_000) })
}

/** The key, or what is wrong with what was shown. */
export function keyIn(finding: KeyFinding): ApiKey | GoneError {
  switch (finding.kind) {
    case 'known':
      return finding.key
    case 'unknown':
      return new GoneError('UNAUTHORIZED', 'the key is not known: mistyped, expired or revoked')
    case 'unsure':
      return new GoneError('STORE_UNAVAILABLE', 'cannot tell whether the key was revoked; safe to retry')
  }
}

export function forbidden(
  key: ApiKey,
  action: Action | readonly Action[],
  scope: Scope,
): GoneError | undefined {
  if (permits(key, action, scope)) return undefined
  const on = scope === 'all' ? 'all systems' : scope === 'unknown' ? 'any system' : 'this system'
  return new GoneError(
    'FORBIDDEN',
    `the key ${key.id} does not permit ${[action].flat().join(' or ')} on ${on}`,
  )
}

function isSentTwice(request: FastifyRequest, name: string): boolean {
  const { rawHeaders } = request.raw
  let times = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) times += 1
  }
  return times > 1
}
