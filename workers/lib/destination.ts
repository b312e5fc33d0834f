import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { domainToASCII } from 'node:url'
import { JobFailed } from '../../src/core/rounds/job-failed.ts'
import { isPublicAddress } from './addresses.ts'

/** Where calls may go. */
export interface DestinationRules {
  /** `api.example.com`, or `*.example.com` for all below it; missing: any host. */
  readonly hosts?: readonly string[]
  /** Whether addresses that are not on the public internet may be called. */
  readonly allowPrivate: boolean
}

/**
 * The host patterns of a comma-separated list, as hosts are written in a parsed URL; undefined if one is not a pattern
 * or there is none.
 */
export function parseHostPatterns(list: string): readonly string[] | undefined {
  const patterns = list.split(',').flatMap((part) => (part.trim() ? [part.trim().toLowerCase()] : []))
  const parsed = patterns.map((pattern) => {
    const isBelow = pattern.startsWith('*.')
    const host = isBelow ? pattern.slice(2) : pattern
    const isHost = /^(\[[0-9a-f:.]+\]|[^\s:/@*?#[\]]+)$/.test(host)
    const ascii = isHost ? hostOf(host) : ''
    return ascii === '' ? '' : `${isBelow ? '*.' : ''}${ascii}`
  })
  return parsed.length > 0 && !parsed.includes('') ? parsed : undefined
}

/**
 * The addresses that the URL's host has now, for a call that must go to one of these: a name that resolves to something
 * else a moment later does not get around the rules.
 *
 * @throws JobFailed if the host or one of its addresses is refused
 * @throws the system's error if the name cannot be resolved
 */
export async function resolveDestination(
  url: URL,
  rules: DestinationRules,
): Promise<readonly LookupAddress[]> {
  const { hostname } = url
  if (rules.hosts && !rules.hosts.some((pattern) => matches(pattern, hostname))) {
    throw new JobFailed(`data.url: the host ${hostname} is not one of GONE_WEBHOOK_ALLOW`)
  }
  const addresses = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true })
  const refused = rules.allowPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address))
  if (refused === undefined) return addresses
  const found = hostname === refused.address ? hostname : `${hostname} (${refused.address})`
  throw new JobFailed(
    `data.url: ${found} is not a public address; GONE_WEBHOOK_ALLOW_PRIVATE=true on the worker allows it`,
  )
}

/** True if the pattern is of this host. */
export function matches(pattern: string, hostname: string): boolean {
  const host = withoutDot(hostname)
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}

/** The host as a parsed URL has it: names in ASCII, addresses in their usual form; empty if it is none. */
function hostOf(text: string): string {
  if (text.startsWith('[')) return URL.canParse(`http://${text}/`) ? new URL(`http://${text}/`).hostname : ''
  return withoutDot(domainToASCII(text))
}

/** `example.com.` is `example.com`. */
function withoutDot(host: string): string {
  return host.replace(/\.$/, '')
}
