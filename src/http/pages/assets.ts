import type { FastifyInstance } from 'fastify'
import { GoneError } from '../../errors.ts'
import { sendProblem } from '../problem.ts'

/** What browsers load to show the console. */
export interface ConsoleAssets {
  /** Of all of them together: another build has others, under other addresses. */
  readonly hash: string
  /** By name, such as `pages/now.js`. */
  readonly files: ReadonlyMap<string, Asset>
}

export interface Asset {
  readonly type: string
  readonly body: Buffer
  readonly gzipped: Buffer
}

const FOR_EVER = 'public, max-age=31536000, immutable'

/** The folder that everything of this build is under. */
export function assetPath({ hash }: ConsoleAssets, name: string): string {
  return `/console/${hash}/${name}`
}

/** Serves them to whoever asks: there is nothing in them but what everybody can install. */
export function serveAssets(app: FastifyInstance, assets: () => ConsoleAssets | undefined): void {
  app.get<{ Params: { hash: string; '*': string } }>('/console/:hash/*', (request, reply) => {
    const limited = app.access.limitedAddress(request)
    if (limited) return sendProblem(reply, limited)
    const known = assets()
    const asset = known?.hash === request.params.hash ? known.files.get(request.params['*']) : undefined
    if (asset === undefined)
      return sendProblem(reply, new GoneError('NOT_FOUND', 'this server has no such part of the console'))
    const isGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    reply
      .header('cache-control', FOR_EVER)
      .header('vary', 'accept-encoding')
      .header('x-content-type-options', 'nosniff')
      .header('cross-origin-resource-policy', 'same-origin')
      .type(asset.type)
    if (isGzip) reply.header('content-encoding', 'gzip')
    return reply.send(isGzip ? asset.gzipped : asset.body)
  })
}
