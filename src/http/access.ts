import type { FastifyRequest } from 'fastify'
import { type Action, type ApiKey, permits, type Scope } from '../core/api-key.ts'
import { GoneError } from '../errors.ts'
import type { KeyFinding, Keyring } from '../service/keyring.ts'
import type { Callers } from './caller.ts'
import type { RateLimit } from './rate-limit.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Who may do what here. */
    access: Access
  }
}

export interface AccessParts {
  readonly keyring: Keyring
  readonly callers: Callers
  /** Missing: as many requests as they like. */
  readonly rateLimit?: RateLimit
}

/** Who may do what. Where nobody needs a key and there is no limit, to ask costs two comparisons. */
export class Access {
  readonly keyring: Keyring
  readonly callers: Callers
  private readonly rateLimit: RateLimit | undefined

  constructor({ keyring, callers, rateLimit }: AccessParts) {
    this.keyring = keyring
    this.callers = callers
    this.rateLimit = rateLimit
  }

  /**
   * Why the request is not answered; undefined if it is. Looks at no body.
   *
   * @param scopeOf the system that the request is about
   */
  refusal(
    request: FastifyRequest,
    action: Action | 'open',
    scopeOf: (request: FastifyRequest) => Scope,
  ): GoneError | undefined {
    const limited = this.limitedAddress(request)
    if (limited || action === 'open' || this.keyring.isOpen) return limited
    const found = this.bearer(request)
    if (found instanceof GoneError) return found
    return this.limitedKey(found) ?? forbidden(found, action, scopeOf(request))
  }

  /** Like `refusal`, without counting the request again: for what only the body or the store could tell. */
  forbidden(request: FastifyRequest, action: Action, scope: Scope): GoneError | undefined {
    if (this.keyring.isOpen) return undefined
    const found = this.bearer(request)
    return found instanceof GoneError ? found : forbidden(found, action, scope)
  }

  limitedAddress(request: FastifyRequest): GoneError | undefined {
    if (this.rateLimit === undefined || this.rateLimit.admits(this.callers.ip(request))) return undefined
    return new GoneError('RATE_LIMITED', 'too many requests from this address; slow down')
  }

  limitedKey({ id }: ApiKey): GoneError | undefined {
    if (this.rateLimit === undefined || this.rateLimit.admits(id)) return undefined
    return new GoneError('RATE_LIMITED', `too many requests with the key ${id}; slow down`)
  }

  /** The key that the request shows, or why there is none. */
  bearer(request: FastifyRequest): ApiKey | GoneError {
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

export function forbidden(key: ApiKey, action: Action, scope: Scope): GoneError | undefined {
  if (permits(key, action, scope)) return undefined
  const on = scope === 'all' ? 'all systems' : scope === 'unknown' ? 'any system' : 'this system'
  return new GoneError('FORBIDDEN', `the key ${key.id} does not permit ${action} on ${on}`)
}

function isSentTwice(request: FastifyRequest, name: string): boolean {
  const { rawHeaders } = request.raw
  let times = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) times += 1
  }
  return times > 1
}
