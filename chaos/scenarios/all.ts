import type { Scenario } from '../scenario.ts'
import { ELECTIONS } from './elections.ts'

export const SCENARIOS: readonly Scenario[] = [...ELECTIONS]
