import { BlockList, isIP } from 'node:net'

/** What is not a host on the public internet, by the registries of IANA, and a metadata service that looks like one. */
const SPECIAL_V4 = subnets('ipv4', [
  '0.0.0.0/8', // unspecified: Linux connects it to loopback
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT; Alibaba's metadata
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // Azure's host agent, a public address that leads into the host
  '169.254.0.0/16', // link-local; the metadata of AWS, Google, Azure and others
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments; Oracle's metadata
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
])

/** The part of 2000::/3 that is not for hosts. */
const SPECIAL_V6 = subnets('ipv6', [
  '2001::/23', // protocol assignments, Teredo
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
])

/**
 * True if the address is one of a host on the public internet. An IPv6 form that carries an IPv4 address (mapped,
 * NAT64, 6to4) is what that address is.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !SPECIAL_V4.check(address, 'ipv4')
  // An address with a zone is link-local.
  if (isIP(address) !== 6 || address.includes('%')) return false
  const groups = groupsOf(address)
  const carried = carriedV4(groups)
  if (carried !== undefined) return isPublicAddress(carried)
  const [first = 0] = groups
  return first >= 0x2000 && first <= 0x3fff && !SPECIAL_V6.check(address, 'ipv6')
}

function carriedV4(groups: readonly number[]): string | undefined {
  const prefix = groups.slice(0, 6).join(':')
  const isMapped = prefix === [0, 0, 0, 0, 0, 0xffff].join(':')
  const isNat64 = prefix === [0x64, 0xff9b, 0, 0, 0, 0].join(':')
  if (isMapped || isNat64) return v4Of(groups.slice(6))
  const is6to4 = groups[0] === 0x2002
  return is6to4 ? v4Of(groups.slice(1, 3)) : undefined
}

function v4Of([high = 0, low = 0]: readonly number[]): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

/** The eight groups of an IPv6 address, in whatever form it is written. */
function groupsOf(address: string): readonly number[] {
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [head = '', tail = ''] = canonical.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
}

function subnets(family: 'ipv4' | 'ipv6', ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', bits] = range.split('/')
    list.addSubnet(net, Number(bits), family)
  }
  return list
}
