import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Action, ApiKey } from '../core/api-key.ts'
import type { Log } from '../core/ports.ts'
import { GoneError } from '../errors.ts'
import { type Access, forbidden, keyIn } from './access.ts'
import { sendProblem } from './problem.ts'
import { SESSION_MS, sessionKeyId, signSession } from './session.ts'

export const LOGIN_PATH = '/login'
export const LOGOUT_PATH = '/logout'

/** Who may see and change what people look at: whoever shows a key with each request, or has shown it to log in. */
export class Pages {
  constructor(
    private readonly access: Access,
    private readonly log: Log,
  ) {}

  /** A hook that answers whoever may not see the page; people are sent to log in. */
  readonly guard = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> => {
    secure(reply)
    const action: Action = isChange(request) ? 'admin' : 'read'
    const refused = this.refusal(request, action)
    if (refused === undefined) {
      if (isChange(request)) this.noteChange(request)
      return undefined
    }
    const isPerson = !isChange(request) && (request.headers.accept?.includes('text/html') ?? false)
    if (refused.code !== 'UNAUTHORIZED' || !isPerson) return sendProblem(reply, refused)
    return reply.redirect(`${LOGIN_PATH}?next=${encodeURIComponent(request.url)}`, 302)
  }

  /** Whoever looks for who has emptied a queue finds it in the log. */
  private noteChange(request: FastifyRequest): void {
    const visitor = this.access.keyring.isOpen ? undefined : this.visitor(request)
    const key = visitor === undefined || visitor instanceof GoneError ? undefined : visitor.id
    const address = this.access.callers.address(request)
    const path = request.url.split('?')[0]
    this.log.info({ ...(key && { key }), address, method: request.method, path }, 'changed on the board')
  }

  refusal(request: FastifyRequest, action: Action): GoneError | undefined {
    const foreign = isChange(request) ? this.foreign(request) : undefined
    const limited = foreign ?? this.access.limitedAddress(request)
    if (limited || this.access.keyring.isOpen) return limited
    const key = this.visitor(request)
    return key instanceof GoneError ? key : forbidden(key, action, 'all')
  }

  /** A page of another origin can make a browser send requests here; it must not change anything. */
  foreign(request: FastifyRequest): GoneError | undefined {
    const { origin } = request.headers
    const host = this.access.callers.host(request)
    if (origin !== undefined && URL.canParse(origin) && new URL(origin).host === host) return undefined
    return new GoneError(
      'FOREIGN_ORIGIN',
      `${request.method}: expected a page of this server, got origin "${(origin ?? 'none').slice(0, 256)}"`,
    )
  }

  /** The key of whoever looks. A header goes before a cookie, which browsers send unasked. */
  visitor(request: FastifyRequest): ApiKey | GoneError {
    if (request.headers.authorization !== undefined) return this.access.bearer(request)
    const { keyring } = this.access
    const cookie = cookieOf(request, this.cookieName(request))
    const { sessionSecret } = keyring
    const keyId = cookie && sessionSecret ? sessionKeyId(cookie, sessionSecret, Date.now()) : undefined
    if (keyId !== undefined) return keyIn(keyring.keyOf(keyId))
    return new GoneError('UNAUTHORIZED', `log in at ${LOGIN_PATH}, or send "Authorization: Bearer gone_..."`)
  }

  /** The cookie of whoever has shown this key. */
  loggedIn(request: FastifyRequest, { id, expiresAtMs }: ApiKey, secret: string): string {
    const untilMs = Math.min(Date.now() + SESSION_MS, expiresAtMs ?? Number.POSITIVE_INFINITY)
    return this.cookie(request, signSession(id, untilMs, secret), Math.ceil((untilMs - Date.now()) / 1_000))
  }

  loggedOut(request: FastifyRequest): string {
    return this.cookie(request, '', 0)
  }

  private cookie(request: FastifyRequest, value: string, maxAgeS: number): string {
    const name = this.cookieName(request)
    const secureOnly = this.access.callers.isSecure(request) ? '; Secure' : ''
    return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secureOnly}`
  }

  /** With `__Host-` browsers take it over TLS only, and from nobody but this very host. */
  private cookieName(request: FastifyRequest): string {
    return this.access.callers.isSecure(request) ? '__Host-gone-session' : 'gone-session'
  }
}

/** No page of ours is shown inside another, nor tells another where its reader came from. */
export function secure(reply: FastifyReply): void {
  reply
    .header('x-frame-options', 'DENY')
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'same-origin')
    .header('cache-control', 'no-store')
}

function isChange({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

function cookieOf(request: FastifyRequest, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, ...value] = part.trim().split('=')
    if (key === name) return value.join('=')
  }
  return undefined
}
