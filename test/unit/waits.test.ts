import type { FastifyRequest } from 'fastify'
import { expect, it } from 'vitest'
import { Access, type AccessParts } from '../../src/http/access/access.ts'

it('lets 10,000 requests wait at a server, whatever for, and the next when one has gone', async () => {
  const access = new Access({ keyring: { isOpen: true } } as AccessParts)
  const request = {} as FastifyRequest
  const leave: (() => void)[] = []
  const wait = () => new Promise<void>((resolve) => leave.push(resolve))
  const waits = Array.from({ length: 10_000 }, () => access.waitingFor(request, wait))
  await expect(access.waitingFor(request, wait)).rejects.toMatchObject({ code: 'TOO_MANY_STANDBYS' })
  leave.shift()?.()
  await waits.shift()
  waits.push(access.waitingFor(request, wait))
  expect(leave).toHaveLength(10_000)
  for (const go of leave) go()
  await Promise.all(waits)
})
