import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import type { Pages } from './pages.ts'

export const DOCS_PATH = '/docs'

/** OpenAPI of the routes registered after it, and a page to read and try it. */
export async function docs(app: FastifyInstance, version: string, pages: Pages): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'gone',
        version,
        description:
          'Every replica fires, one runs. Errors are RFC 9457 problem details with a stable `code`; `retryable` says whether the same call may be tried again.',
        license: { name: 'MIT' },
      },
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, gone_..., where keys are in use. `gone key create` makes one.',
          },
        },
      },
      security: [{ key: [] }],
      tags: [
        { name: 'rounds', description: 'Who leads a round, and whether it was done.' },
        { name: 'jobs', description: 'Work that a worker does.' },
        { name: 'alerts', description: 'What is expected, and what is wrong.' },
        { name: 'schedules', description: 'What makes rounds come by themselves.' },
        { name: 'history', description: 'What has happened.' },
        { name: 'operating', description: 'Health and metrics.' },
      ],
    },
    transformObject: (made) => {
      if (!('openapiObject' in made)) return made.swaggerObject
      // No endpoint needs a body, which a route's schema cannot say.
      for (const path of Object.values(made.openapiObject.paths ?? {})) {
        if (path?.post?.requestBody) path.post.requestBody = { ...path.post.requestBody, required: false }
      }
      return made.openapiObject
    },
    transform: ({ url, route }) => ({ url, schema: route.config?.docs ?? { hide: true } }),
  })
  await app.register(async (scope) => {
    scope.addHook('onRequest', pages.guard)
    await scope.register(swaggerUi, { routePrefix: DOCS_PATH })
  })
}
