import type { FastifyInstance } from 'fastify'
import { serveLate } from './late.ts'
import type { Pages } from './pages.ts'

const DOCS_PATH = '/docs'

/** OpenAPI of the endpoints, and a page to read and try it. */
export async function docs(
  app: FastifyInstance,
  parts: { readonly version: string; readonly basePath: string; readonly fresh: () => FastifyInstance },
  pages: Pages,
): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRequest', pages.guard)
    const build = async () => {
      const { swaggerOf } = await import('./swagger.ts')
      const instance = parts.fresh()
      await swaggerOf(instance, { ...parts, path: DOCS_PATH, endpoints: app.endpoints })
      return instance
    }
    serveLate(scope, { path: DOCS_PATH, build })
  })
}
