import type { Scenario } from '../scenario.ts'
import { BUILDS } from './builds.ts'
import { CLOCKS } from './clocks.ts'
import { CLUSTERS } from './clusters.ts'
import { ELECTIONS } from './elections.ts'
import { FACADES } from './facades.ts'
import { GATE } from './gate.ts'
import { NETWORK } from './network.ts'
import { REDIS, REDIS_LOSES } from './redis.ts'
import { WORKERS } from './workers.ts'

/** What is survived first, then what is not. */
export const SCENARIOS: readonly Scenario[] = [
  ...ELECTIONS,
  ...BUILDS,
  ...NETWORK,
  ...REDIS,
  ...FACADES,
  ...WORKERS,
  ...CLOCKS,
  ...GATE,
  ...CLUSTERS,
  ...REDIS_LOSES,
].sort((a, b) => Number(a.breaks !== undefined) - Number(b.breaks !== undefined))
