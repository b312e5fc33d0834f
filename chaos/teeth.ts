import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bug } from './bugs.ts'
import type { Rule } from './checker.ts'
import { type RunOptions, runScenario } from './runner.ts'
import { SCENARIOS } from './scenarios/all.ts'
import { FLEET_MIX } from './scenarios/fleet-mix.ts'
import { builtCopy } from './tree.ts'

/** Whether the harness noticed a bug. */
export interface Bite {
  readonly bug: Bug
  readonly isCaught: boolean
  /** The rules that were seen broken. */
  readonly rules: readonly Rule[]
  readonly example: string
  readonly tookMs: number
  readonly seed: number
}

/**
 * Runs the bug's scenario on a copy of the tree that has the bug. It is caught where a rule is broken; a server that does
 * not start, or a scenario that could not be run, catches nothing.
 */
export async function bite(bug: Bug, options: Omit<RunOptions, 'root'>): Promise<Bite> {
  const startMs = performance.now()
  const scenario = [...SCENARIOS, FLEET_MIX].find(({ name }) => name === bug.caughtBy)
  if (scenario === undefined) throw new Error(`bug ${bug.name}: no scenario "${bug.caughtBy}"`)
  const folder = await mkdtemp(join(tmpdir(), 'gone-chaos-teeth-'))
  try {
    const root = await builtCopy(folder, bug.patches)
    const result = await runScenario(scenario, { ...options, size: bug.size ?? options.size, root })
    const { trouble, history } = result
    // Where a scenario shows what is not survived, all but its claims is broken without the bug too.
    const violations = result.violations.filter(
      ({ rule }) => scenario.breaks === undefined || rule === 'claim',
    )
    // Its history is of no use: the tree it is of is gone.
    await rm(join(history, '..'), { recursive: true, force: true })
    return {
      bug,
      isCaught: violations.length > 0,
      rules: [...new Set(violations.map(({ rule }) => rule))],
      example: violations[0]?.what ?? trouble ?? 'nothing was seen broken',
      tookMs: performance.now() - startMs,
      seed: options.seed,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
