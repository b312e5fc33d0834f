import type { JsonSchema } from '../core/shape.ts'
import { STATES } from './parameters.ts'

interface HeaderDocs {
  readonly about: string
  readonly schema: JsonSchema
}

/** What the headers of our answers say. */
export const HEADERS = {
  'Gone-Leader': {
    about: "The leader's address, ip:port; missing where only the gate knows.",
    schema: { type: 'string', examples: ['10.0.0.7:41234'] },
  },
  'Gone-Fence': {
    about: 'A number that only grows within a system; each new leader of a round gets a higher one.',
    schema: { type: 'integer', minimum: 1 },
  },
  'Gone-State': { about: 'What has become of the round.', schema: { type: 'string', enum: STATES } },
  'Gone-Conflict': {
    about: 'Where the round was submitted before with other data, which was kept.',
    schema: { type: 'string', enum: ['data'] },
  },
  'Gone-Warning': {
    about:
      'Where nobody takes the jobs of the worker, as far as the server can see: the round waits until somebody does.',
    schema: { type: 'string', enum: ['no-worker'] },
  },
  ETag: {
    about: 'Names what can be changed of it, for If-Match.',
    schema: { type: 'string', examples: ['"kq1Yw0Jt2mV8bZ3c"'] },
  },
  Link: { about: 'Where the round is found.', schema: { type: 'string' } },
  'Retry-After': { about: 'Seconds until it may be tried again.', schema: { type: 'integer', minimum: 0 } },
  'WWW-Authenticate': { about: 'How a key is shown.', schema: { type: 'string' } },
} as const satisfies Readonly<Record<string, HeaderDocs>>

export type HeaderName = keyof typeof HEADERS

/** What every answer about a round that has a leader says of it. */
export const ROUND_HEADERS: readonly HeaderName[] = ['Gone-Leader', 'Gone-Fence', 'Gone-State']
