import swagger, { type StaticDocumentSpec } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { openApiOf } from '../openapi.ts'
import { LOGOUT_PATH, type Pages } from './pages.ts'

/** A link on a page that is not ours. */
const logOut = (basePath: string) => ({
  filename: 'log-out.js',
  content: `const link = Object.assign(document.createElement('a'), { href: '${basePath}${LOGOUT_PATH}', textContent: 'Log out' })
link.style.cssText = 'position:absolute;top:1rem;right:1.5rem;font:14px sans-serif;z-index:1'
document.body.append(link)
`,
})

export const DOCS_PATH = '/docs'

/** OpenAPI of the endpoints served before it, and a page to read and try it. */
export async function docs(
  app: FastifyInstance,
  { version, basePath }: { readonly version: string; readonly basePath: string },
  pages: Pages,
): Promise<void> {
  // The plugin's types end at OpenAPI 3.0.
  const document = openApiOf(app.endpoints, version, basePath) as StaticDocumentSpec['document']
  await app.register(swagger, { mode: 'static', specification: { document } })
  await app.register(async (scope) => {
    scope.addHook('onRequest', pages.guard)
    await scope.register(swaggerUi, { routePrefix: DOCS_PATH, theme: { js: [logOut(basePath)] } })
  })
}
