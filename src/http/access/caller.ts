import { type BlockList, isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { CallerJson } from '../../core/status-wire.ts'
import { blockListOf } from '../../networks.ts'

const MAX_HOPS = 32
/** By what a proxy says whom it asks for. */
const OF_PROXIES = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded']

/**
 * Where a request comes from: the other end of the connection, or, where that is a proxy that we trust, whom it names.
 * For display and limits, never identity.
 */
export class Callers {
  private readonly trusted: BlockList | undefined

  /** @param networks such as `10.0.0.0/8` or `::1`; headers of everybody else are ignored */
  constructor(networks: readonly string[]) {
    if (networks.length > 0) this.trusted = blockListOf(networks)
  }

  /** `ip:port` as Go writes it, IPv6 in brackets. The port is 0 where a proxy does not say it. */
  address(request: FastifyRequest): string {
    const { remoteAddress, remotePort = 0 } = request.raw.socket
    const ip = plainIp(remoteAddress ?? 'unknown')
    const named = this.isTrusted(ip) ? this.namedBy(request) : undefined
    return named ? withPort(named.ip, named.port) : withPort(ip, remotePort)
  }

  /** The address without its port. */
  ip(request: FastifyRequest): string {
    const ip = plainIp(request.raw.socket.remoteAddress ?? 'unknown')
    return (this.isTrusted(ip) ? this.namedBy(request)?.ip : undefined) ?? ip
  }

  /** True if the caller's end of the way is encrypted. */
  isSecure(request: FastifyRequest): boolean {
    return this.header(request, 'x-forwarded-proto') === 'https'
  }

  /** The host that the caller asked. */
  host(request: FastifyRequest): string | undefined {
    return this.header(request, 'x-forwarded-host') ?? request.headers.host
  }

  /** How the request looks from here, for whoever wonders what a proxy has made of it. */
  seen(request: FastifyRequest): CallerJson {
    const host = this.host(request)
    const isForwarded = OF_PROXIES.some((name) => request.headers[name] !== undefined)
    const isTrusted = this.isTrusted(plainIp(request.raw.socket.remoteAddress ?? ''))
    return {
      address: this.ip(request),
      ...(host !== undefined && { host }),
      secure: this.isSecure(request),
      ...(isForwarded && { proxy: isTrusted ? 'believed' : 'ignored' }),
    }
  }

  /** Of several proxies the nearest has written last. */
  private header(request: FastifyRequest, name: string): string | undefined {
    const text = request.headers[name]
    if (text === undefined || !this.isTrusted(plainIp(request.raw.socket.remoteAddress ?? '')))
      return undefined
    return String(text).split(',').at(-1)?.trim()
  }

  /** Read from the right, where what we trust has written: the first address that is not of a trusted proxy. */
  private namedBy(request: FastifyRequest): Hop | undefined {
    const text = request.headers['x-forwarded-for']
    if (text === undefined) return undefined
    let named: Hop | undefined
    for (const part of String(text).split(',').slice(-MAX_HOPS).reverse()) {
      const hop = hopOf(part.trim())
      // Beyond what is no address there is nothing to be believed.
      if (hop === undefined) break
      named = hop
      if (!this.isTrusted(hop.ip)) break
    }
    return named
  }

  private isTrusted(ip: string): boolean {
    if (this.trusted === undefined) return false
    const family = isIP(ip)
    return family !== 0 && this.trusted.check(ip, family === 6 ? 'ipv6' : 'ipv4')
  }
}

interface Hop {
  readonly ip: string
  readonly port: number
}

/** `1.2.3.4`, `1.2.3.4:5`, `::1` or `[::1]:5`. */
function hopOf(text: string): Hop | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15}))(?::(\d{1,5}))?$/.exec(text) ?? []
  const ip = plainIp(bracketed ?? plain ?? text)
  return isIP(ip) === 0 || ip.includes('%') ? undefined : { ip, port: Math.min(Number(port ?? 0), 65_535) }
}

function plainIp(ip: string): string {
  return ip.startsWith('::ffff:') ? ip.slice(7) : ip
}

function withPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}
