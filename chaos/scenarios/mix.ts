import { FAULTS } from '../mix/faults.ts'
import { startLoads } from '../mix/loads.ts'
import { drawSetting, sayOf } from '../mix/setting.ts'
import { build, keepWorking, repair, revive } from '../mix/stage.ts'
import type { Scenario } from '../scenario.ts'

const LASTS_MS = 20_000

/** All faults of which nothing may be lost, drawn by lot on a stage drawn by lot, while elections and jobs go on. */
export const MIX: Scenario = {
  name: 'mix',
  proves:
    'faults drawn by lot on a stage drawn by lot, for 20 s, under elections with and without lease and token, and jobs',
  async run(world) {
    const setting = drawSetting(world.random.fork('setting'))
    world.remarks.push(sayOf(setting))
    const stage = await build(world, setting)
    const faults = FAULTS.filter(({ needs }) => needs === undefined || needs(stage))
    const loads = startLoads(stage)
    const endMs = performance.now() + LASTS_MS
    while (performance.now() < endMs) {
      await world.pause(world.random.int(100, 1_500))
      await revive(stage)
      await world.random.pick(faults).happen(stage)
    }
    await repair(stage)
    keepWorking(stage)
    await Promise.all(loads.map((load) => load.stop()))
  },
}
