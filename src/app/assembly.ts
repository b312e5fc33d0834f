import { performance } from 'node:perf_hooks'
import type { Config } from '../config.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { Tracer } from '../core/tracing.ts'
import type { Closing } from './closing.ts'
import type { Lines } from './lines.ts'

/** What the parts of a server stand on. An assembly adds to `closing` what it opens, and gives back what works by itself. */
export interface Ground {
  readonly config: Config
  readonly lines: Lines
  readonly closing: Closing
  readonly log: Log
  /** Told of what is done for rounds; missing: nobody asked for it. */
  readonly tracer?: Tracer
}

export const nowMs = () => performance.now()
