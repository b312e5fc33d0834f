import { createRequire } from 'node:module'

/**
 * BullMQ, required and not imported: to learn what a package of CommonJS exports, an import reads each of its 190 files once more, which is a
 * tenth of a server's start.
 */
export const bullmq = createRequire(import.meta.url)('bullmq') as typeof import('bullmq')
