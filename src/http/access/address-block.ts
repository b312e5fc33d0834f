import { isIPv6 } from 'node:net'

/**
 * Who is counted together: an IPv4 address, or the 64 bits of an IPv6 address that a provider gives one customer, who has
 * the rest to choose from. One text for every way to write the same.
 */
export function addressBlock(ip: string): string {
  const [address = ''] = ip.split('%')
  if (!isIPv6(address)) return ip
  const { hostname } = new URL(`http://[${address}]/`)
  const [head = '', tail] = hostname.slice(1, -1).split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const missing = tail === undefined ? 0 : 8 - groups.length - after.length
  const all = [...groups, ...Array<string>(missing).fill('0'), ...after]
  // An IPv4 address in the words of IPv6.
  if (all.slice(0, 5).every((group) => group === '0') && all[5] === 'ffff') return dotted(all[6], all[7])
  return `${all.slice(0, 4).join(':')}::/64`
}

function dotted(high = '0', low = '0'): string {
  const bits = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16)
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
}
