import swagger, { type StaticDocumentSpec } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import type { Endpoint } from '../endpoint.ts'
import { openApiOf } from '../openapi.ts'
import { LOGOUT_PATH } from './pages.ts'

/** A link on a page that is not ours. */
const logOut = (basePath: string) => ({
  filename: 'log-out.js',
  content: `const link = Object.assign(document.createElement('a'), { href: '${basePath}${LOGOUT_PATH}', textContent: 'Log out' })
link.style.cssText = 'position:absolute;top:1rem;right:1.5rem;font:14px sans-serif;z-index:1'
document.body.append(link)
`,
})

/** Puts OpenAPI of these endpoints together, and a page to read and try it; returns when it can be asked. */
export async function swaggerOf(
  app: FastifyInstance,
  parts: {
    readonly path: string
    readonly endpoints: readonly Endpoint[]
    readonly version: string
    readonly basePath: string
  },
): Promise<void> {
  const { path, endpoints, version, basePath } = parts
  // The plugin's types end at OpenAPI 3.0.
  const document = openApiOf(endpoints, version, basePath) as StaticDocumentSpec['document']
  await app.register(swagger, { mode: 'static', specification: { document } })
  await app.register(swaggerUi, { routePrefix: path, theme: { js: [logOut(basePath)] } })
  await app.ready()
}
