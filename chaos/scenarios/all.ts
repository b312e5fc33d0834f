import type { Scenario } from '../scenario.ts'
import { BUILDS } from './builds.ts'
import { CALLS } from './calls.ts'
import { CLOCKS } from './clocks.ts'
import { CLUSTERS } from './clusters.ts'
import { COMMANDS } from './commands.ts'
import { CONTROL } from './control.ts'
import { ELECTIONS } from './elections.ts'
import { EMBEDDED } from './embedded.ts'
import { FACADES } from './facades.ts'
import { GATE } from './gate.ts'
import { INSTANCES } from './instances.ts'
import { NETWORK } from './network.ts'
import { POOLS } from './pools.ts'
import { REDIS, REDIS_LOSES } from './redis.ts'
import { REGIONS } from './regions.ts'
import { SUPERVISED } from './supervised.ts'
import { SYSTEMS } from './systems.ts'
import { TAKES } from './takes.ts'
import { WORKERS } from './workers.ts'

/** What is survived first, then what is not. */
export const SCENARIOS: readonly Scenario[] = [
  ...ELECTIONS,
  ...BUILDS,
  ...NETWORK,
  ...REDIS,
  ...EMBEDDED,
  ...FACADES,
  ...SYSTEMS,
  ...WORKERS,
  ...TAKES,
  ...CALLS,
  ...SUPERVISED,
  ...REGIONS,
  ...POOLS,
  ...CONTROL,
  ...INSTANCES,
  ...CLOCKS,
  ...COMMANDS,
  ...GATE,
  ...CLUSTERS,
  ...REDIS_LOSES,
].sort((a, b) => Number(a.breaks !== undefined) - Number(b.breaks !== undefined))
