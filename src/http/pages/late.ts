import { createRequire } from 'node:module'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GoneError } from '../../errors.ts'

interface LateParts {
  /** It is asked for this and all below. */
  readonly path: string
  /** Below which it is asked to change something; missing: nowhere. */
  readonly changes?: string
  /** Makes it. Where that fails whoever asked is told so, and the next who asks has it tried again. */
  readonly build: () => Promise<FastifyInstance>
}

const CHANGES = ['POST', 'PUT', 'PATCH']

/**
 * Serves what is under a path by an application that is put together when somebody first asks for it, because few servers are ever asked: what it is
 * made of is not in the memory of the others. The hooks of `app` see each request before. However many ask first, it is made once.
 */
export function serveLate(app: FastifyInstance, { path, changes, build }: LateParts): void {
  let late: Promise<FastifyInstance> | undefined
  const made = async () => {
    late ??= build()
    const asked = late
    try {
      return await asked
    } catch (cause) {
      if (late === asked) late = undefined
      throw new GoneError('INTERNAL', `${path} could not be loaded; safe to retry`, { cause })
    }
  }
  const hand = async (request: FastifyRequest, reply: FastifyReply) => {
    const { routing } = await made()
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value)
    // In a hook, before the body is read: that is for the other to do.
    reply.hijack()
    routing(request.raw, reply.raw)
  }
  const answered = { onRequest: hand, handler: hand }
  for (const url of [path, `${path}/*`]) app.route({ method: 'GET', url, ...answered })
  if (changes !== undefined) app.route({ method: CHANGES, url: `${changes}/*`, ...answered })
  app.addHook('onClose', async () => {
    const instance = await late?.catch(() => undefined)
    await instance?.close()
  })
}

/** Looks whether what is loaded late is there: a start shows what is missing, and not the first who asks for it. @throws Error where it is not */
export function checkLate(): void {
  const { resolve } = createRequire(import.meta.url)
  for (const part of ['@bull-board/api', '@bull-board/fastify', '@fastify/swagger', '@fastify/swagger-ui'])
    resolve(part)
}
