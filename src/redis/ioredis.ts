import { createRequire } from 'node:module'

/** ioredis, required and not imported: to learn what a package of CommonJS exports, an import reads its files once more, a twentieth of a server's start. */
export const ioredis = createRequire(import.meta.url)('ioredis') as typeof import('ioredis')
