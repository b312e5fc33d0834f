import type { Server, Socket } from 'node:net'
import { blockListOf } from '../../networks.ts'
import { addressBlock } from './address-block.ts'

interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly trustedProxies: readonly string[]
}

/** Drops connections beyond the limits as they come. A trusted proxy stands for many, and only the first limit is its. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const { maxConnections, maxConnectionsPerAddress, trustedProxies } = limits
  server.maxConnections = maxConnections
  const trusted = blockListOf(trustedProxies)
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const { remoteAddress, remoteFamily } = socket
    if (
      remoteAddress === undefined ||
      trusted.check(remoteAddress, remoteFamily === 'IPv6' ? 'ipv6' : 'ipv4')
    )
      return
    const address = addressBlock(remoteAddress)
    const count = (open.get(address) ?? 0) + 1
    if (count > maxConnectionsPerAddress) {
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}
