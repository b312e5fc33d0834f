import { checkAlerts, checkDeaths } from '../fleet-mix/aftermath.ts'
import { drawFaults } from '../fleet-mix/faults.ts'
import { judgeJobs } from '../fleet-mix/judging.ts'
import { drawFleetSetting, sayOf } from '../fleet-mix/setting.ts'
import { ASKED, build, type FleetStage, POOL } from '../fleet-mix/stage.ts'
import { monotonicMs } from '../history.ts'
import type { Scenario } from '../scenario.ts'

/** A segment of the mix. */
export const FLEET_SEGMENT_MS = 600_000
/** Before it, and until all has ended after it. */
const MORE_MS = 900_000
/** What was begun beside the last faults. */
const OVER_WITHIN_MS = 150_000
const WHOLE_WITHIN_MS = 90_000

/** Everything that may happen to a fleet, drawn by lot, while 200 jobs a second are submitted to it. */
export const FLEET_MIX: Scenario = {
  name: 'fleet-mix',
  proves:
    'instances, hosts and servers killed, stopped, leaking, flooding, cut off and deployed over by lot, for 10 min under 200 jobs/s: no job lost, run twice or failed for no reason, as many registered as asked for, and no false alarm',
  mayTakeMs: FLEET_SEGMENT_MS + MORE_MS,
  async run(world, size) {
    const setting = drawFleetSetting(world.random.fork('setting'))
    world.remarks.push(sayOf(setting))
    const stage = await build(world, setting)
    const endMs = monotonicMs() + size * FLEET_SEGMENT_MS
    for (const fault of drawFaults(stage.random)) {
      await world.pause(stage.random.int(500, 4_000))
      if (monotonicMs() > endMs) break
      await fault.happen(stage).catch((error: unknown) => {
        if (!world.isEnded) world.claim(false, `a fault could not be done: ${String(error)}`)
      })
    }
    await comeToRest(stage)
    await judge(stage)
  },
}

/** What is under way comes to its end, and all is as it was asked for. */
async function comeToRest({ world, sight, beside, load }: FleetStage): Promise<void> {
  const untilMs = monotonicMs() + OVER_WITHIN_MS
  while (beside.size > 0 && monotonicMs() < untilMs) await world.pause(100)
  const isWhole = async () => {
    const pool = await sight.ask(({ fleet }) => fleet.pools.get(POOL))
    const all = await sight.look()
    return pool?.working === ASKED && all.filter(({ state }) => state !== 'lost').length === ASKED
  }
  await world.until(isWhole, `${ASKED} instances work, and no other is left`, WHOLE_WITHIN_MS)
  await load.stop()
  world.heal()
}

async function judge(stage: FleetStage): Promise<void> {
  const { stalls, longestMs } = stage.watch
  if (stalls > 0)
    stage.world.remarks.push(
      `Redis itself did not answer ${stalls} times, for at most ${Math.round(longestMs)} ms: what was cut off by that is not counted against anybody`,
    )
  await checkAlerts(stage)
  await checkDeaths(stage)
  await judgeJobs(stage)
}
