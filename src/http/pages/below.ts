import type { FastifyInstance } from 'fastify'

/**
 * Lets whoever reads an answer find the way below a path that they reach this server by: all that is said here of places
 * begins at `/`, and gets that path before it as it leaves.
 */
export function answerBelow(app: FastifyInstance, basePath: string): void {
  app.addHook('onSend', async (_, reply, payload) => {
    const { location, link } = reply.getHeaders()
    if (typeof location === 'string' && isOurs(location)) reply.header('location', basePath + location)
    if (typeof link === 'string') reply.header('link', link.replace(/^<\/(?!\/)/, `<${basePath}/`))
    const isHtml = String(reply.getHeader('content-type')).startsWith('text/html')
    if (typeof payload !== 'string' || !isHtml) return payload
    return payload.replace(/ (href|src|action)="\/(?!\/)/g, ` $1="${basePath}/`)
  })
}

function isOurs(location: string): boolean {
  return location.startsWith('/') && !location.startsWith('//')
}
