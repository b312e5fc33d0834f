import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Action, ApiKey, Scope } from '../../core/api-key.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { isSessionOf, SESSION_MS, type Sessions, sessionDigest } from '../../core/session.ts'
import { GoneError } from '../../errors.ts'
import { type Access, forbidden, keyIn } from '../access/access.ts'
import { sendProblem } from '../problem.ts'

export const LOGIN_PATH = '/login'
export const LOGOUT_PATH = '/logout'

const TOKEN = /^[\w-]{43}$/

interface PagesParts {
  readonly access: Access
  readonly sessions: Sessions
  readonly log: Log
  /** The path that browsers find the pages below; empty where there is none. */
  readonly basePath: string
}

/** Who may see and change what people look at: whoever shows a key with each request, or has shown it to log in. */
export class Pages {
  private readonly access: Access
  private readonly sessions: Sessions
  private readonly log: Log
  private readonly basePath: string

  constructor({ access, sessions, log, basePath }: PagesParts) {
    this.access = access
    this.sessions = sessions
    this.log = log
    this.basePath = basePath
  }

  /** A hook that answers whoever may not see the page; people are sent to log in. */
  readonly guard = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> => {
    secure(reply)
    const action: Action = isChange(request) ? 'admin' : 'read'
    const refused = await this.refusal(request, action)
    if (refused === undefined) {
      if (isChange(request)) this.noteChange(request)
      return undefined
    }
    const isPerson = !isChange(request) && (request.headers.accept?.includes('text/html') ?? false)
    if (refused.code !== 'UNAUTHORIZED' || !isPerson) return sendProblem(reply, refused)
    return reply.redirect(`${LOGIN_PATH}?next=${encodeURIComponent(request.url)}`, 302)
  }

  /** A person who asks later which visitor has emptied a queue finds that in the log. */
  private noteChange(request: FastifyRequest): void {
    const { keyId: key } = request
    const address = this.access.callers.address(request)
    const path = request.url.split('?')[0]
    this.log.info({ ...(key && { key }), address, method: request.method, path }, 'changed on the board')
  }

  private async refusal(request: FastifyRequest, action: Action): Promise<GoneError | undefined> {
    await this.access.waking(action)
    const refused = this.foreign(request) ?? this.access.limitedAddress(request)
    if (refused || this.access.keyring.isOpen) return refused
    return this.refusalOfVisitor(request, action, 'all')
  }

  /** Why what a page asks for, or asks to be done, is refused: only our own pages ask. */
  async refusalOfData(
    request: FastifyRequest,
    action: Action | readonly Action[],
    scope: Scope,
  ): Promise<GoneError | undefined> {
    const { origins, keyring } = this.access
    request.isStillIn = () => this.isIn(request)
    await this.access.waking(action)
    const foreign = isChange(request) ? origins.foreignChange(request) : origins.foreign(request)
    const refused = foreign ?? origins.unknownHost(request) ?? this.access.limitedAddress(request)
    if (refused || keyring.isOpen) return refused
    return this.refusalOfVisitor(request, action, scope)
  }

  private async refusalOfVisitor(
    request: FastifyRequest,
    action: Action | readonly Action[],
    scope: Scope,
  ): Promise<GoneError | undefined> {
    const key = await this.visitor(request)
    if (key instanceof GoneError) return key
    request.keyId = key.id
    request.sessionKey = key
    this.access.noteUse(key)
    return this.access.limitedKey(key) ?? forbidden(key, action, scope)
  }

  /** True as long as whoever has asked may still see pages. Where that cannot be told they may, as far as is known. */
  async isIn(request: FastifyRequest): Promise<boolean> {
    if (this.access.keyring.isOpen) return true
    const key = await this.visitor(request).catch(() => undefined)
    if (key === undefined) return true
    if (key instanceof GoneError) return key.code !== 'UNAUTHORIZED'
    return forbidden(key, 'read', 'all') === undefined
  }

  /** True if whoever asks may see the pages by what they have shown already; false also where that cannot be told now. */
  async hasLoggedIn(request: FastifyRequest): Promise<boolean> {
    try {
      await this.access.waking('read')
      const key = await this.visitor(request)
      return !(key instanceof GoneError) && forbidden(key, 'read', 'all') === undefined
    } catch {
      return false
    }
  }

  /** Pages are shown under known names only, and other sites' pages may link to them, but not change anything. */
  foreign(request: FastifyRequest): GoneError | undefined {
    const { origins } = this.access
    const foreign = isChange(request) ? origins.foreignChange(request) : origins.foreignToPages(request)
    return foreign ?? origins.unknownHost(request)
  }

  /** The key of whoever looks. A header goes before a cookie, which browsers send unasked. */
  private async visitor(request: FastifyRequest): Promise<ApiKey | GoneError> {
    if (request.headers.authorization !== undefined) return this.access.shown(request)
    const token = this.token(request)
    const session = token && (await this.sessions.find(sessionDigest(token), Date.now()))
    const key = session ? keyIn(this.access.keyring.keyOf(session.keyId)) : undefined
    if (session && key && (key instanceof GoneError || isSessionOf(session, key))) return key
    return new GoneError('UNAUTHORIZED', `log in at ${LOGIN_PATH}, or send "Authorization: Bearer gone_..."`)
  }

  /** The cookie of whoever has shown this key: a token that the store knows the digest of. */
  async logIn(request: FastifyRequest, { id, digest, expiresAtMs }: ApiKey): Promise<string> {
    const untilMs = Math.min(Date.now() + SESSION_MS, expiresAtMs ?? Number.POSITIVE_INFINITY)
    const token = randomBytes(32).toString('base64url')
    await this.sessions.add({ digest: sessionDigest(token), keyId: id, keyDigest: digest, untilMs })
    return this.cookie(request, token, Math.ceil((untilMs - Date.now()) / 1_000))
  }

  /** Ends the session, wherever else its cookie may be kept. */
  async logOut(request: FastifyRequest): Promise<string> {
    const token = this.token(request)
    if (token !== undefined) await this.sessions.end(sessionDigest(token))
    return this.cookie(request, '', 0)
  }

  private token(request: FastifyRequest): string | undefined {
    const cookie = cookieOf(request, this.cookieName(request))
    return cookie !== undefined && TOKEN.test(cookie) ? cookie : undefined
  }

  private cookie(request: FastifyRequest, value: string, maxAgeS: number): string {
    const name = this.cookieName(request)
    const secureOnly = this.access.callers.isSecure(request) ? '; Secure' : ''
    return `${name}=${value}; Path=${this.basePath || '/'}; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secureOnly}`
  }

  /** With `__Host-` browsers take it over TLS only, and from nobody but this very host, which must have it all. */
  private cookieName(request: FastifyRequest): string {
    if (!this.access.callers.isSecure(request)) return 'gone-session'
    return this.basePath ? '__Secure-gone-session' : '__Host-gone-session'
  }
}

/** The inline styles of Bull Board and Swagger UI, whose texts are known. */
const INLINE_STYLES =
  "'sha256-r2N1TB/gHbBtBZFKg7ejmq1acVSREzucTAEw6ga4hoU=' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"

/** What the board and the docs need, of this server alone; no inline script runs. */
const OWN_PARTS_ONLY =
  `default-src 'none'; script-src 'self'; style-src 'self' ${INLINE_STYLES}; ` +
  "img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "form-action 'self'; frame-ancestors 'none'; base-uri 'self'"

/** No page of ours is shown inside another, nor tells another where its reader came from. */
export function secure(reply: FastifyReply): void {
  reply
    .header('x-frame-options', 'DENY')
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'same-origin')
    .header('content-security-policy', OWN_PARTS_ONLY)
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
