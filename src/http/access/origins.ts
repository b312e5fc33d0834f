import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { GoneError } from '../../errors.ts'
import type { Callers } from './caller.ts'

export interface OriginParts {
  readonly callers: Callers
  /** The address that is listened on, or a name of it. */
  readonly boundHost: string
  /** Other names that the server is reached by; `*.` before one stands for all below it. */
  readonly allowedHosts: readonly string[]
}

/**
 * Whether a request is a website's doing. A browser sends what any page asks for to whatever it can reach, this machine
 * included; it says truly which page it was, and by which name it looked for the server.
 */
export class Origins {
  private readonly callers: Callers
  private readonly names: ReadonlySet<string>
  private readonly domains: readonly string[]
  private readonly isBoundToAll: boolean
  /** Nearly every request comes by the same name: it is looked at once. */
  private lastKnown: string | undefined

  constructor({ callers, boundHost, allowedHosts }: OriginParts) {
    this.callers = callers
    this.isBoundToAll = isUnspecified(boundHost)
    const names = allowedHosts.map((name) => name.toLowerCase())
    const bound = this.isBoundToAll ? [] : [boundHost.toLowerCase()]
    this.names = new Set(['localhost', ...bound, ...names])
    this.domains = names.flatMap((name) => (name.startsWith('*.') ? [name.slice(1)] : []))
  }

  /** Why a request to the API is refused: a page of somebody else's has made a browser send it. */
  foreign(request: FastifyRequest): GoneError | undefined {
    const { origin, 'sec-fetch-site': site } = request.headers
    if (origin === undefined && site === undefined) return undefined
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return foreignPage(request, site)
    return origin === undefined || this.isOwn(origin, request) ? undefined : foreignPage(request, origin)
  }

  /** Of the pages for people, which any site may link to: what neither shows one nor is sent by one. */
  foreignToPages(request: FastifyRequest): GoneError | undefined {
    const { 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = request.headers
    const isLink = request.method === 'GET' && mode === 'navigate' && dest === 'document'
    return isLink ? undefined : this.foreign(request)
  }

  /** Why a change on a page is refused: unlike the API it is for browsers, which say where it comes from. */
  foreignChange(request: FastifyRequest): GoneError | undefined {
    const { origin } = request.headers
    return origin === undefined ? foreignPage(request, 'none') : this.foreign(request)
  }

  /** Why a name is refused that is not known to be this server's: a website can have its own lead here. */
  unknownHost(request: FastifyRequest): GoneError | undefined {
    const host = this.callers.host(request)
    if (host === undefined || host === this.lastKnown) return undefined
    if (this.isKnown(nameIn(host))) {
      this.lastKnown = host
      return undefined
    }
    return new GoneError(
      'UNKNOWN_HOST',
      `expected a Host that is known, such as localhost, got ${JSON.stringify(host.slice(0, 256))}; GONE_ALLOWED_HOSTS names others`,
    )
  }

  private isKnown(name: string): boolean {
    if (this.names.has(name) || this.domains.some((domain) => name.endsWith(domain))) return true
    const family = isIP(name)
    if (family === 0) return false
    return (
      name === '::1' ||
      (family === 4 && name.startsWith('127.')) ||
      (this.isBoundToAll && !isUnspecified(name))
    )
  }

  private isOwn(origin: string, request: FastifyRequest): boolean {
    const asked = this.callers.host(request) ?? ''
    if (!URL.canParse(origin)) return false
    const { protocol, host } = new URL(origin)
    // Some proxies name the port, which browsers leave out where it is the scheme's own.
    const own = `${protocol}//${asked}`
    return URL.canParse(own) && nameIn(asked) !== '' && new URL(own).host === host
  }
}

/** Without its port, the brackets of IPv6 and the dot of a full name; empty if it is no name at all. */
function nameIn(host: string): string {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/@?#[\]\\]+))(?::\d{1,5})?$/i.exec(host) ?? []
  const name = (bracketed ?? plain ?? '').toLowerCase()
  return name.endsWith('.') ? name.slice(0, -1) : name
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function foreignPage({ method }: FastifyRequest, from: string): GoneError {
  return new GoneError(
    'FOREIGN_ORIGIN',
    `${method}: expected a page of this server or no page, got "${from.slice(0, 256)}"`,
  )
}
