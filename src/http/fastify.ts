import { createRequire } from 'node:module'

/** Fastify, required and not imported: to learn what a package of CommonJS exports, an import reads its files once more. */
export const { fastify } = createRequire(import.meta.url)('fastify') as typeof import('fastify')
