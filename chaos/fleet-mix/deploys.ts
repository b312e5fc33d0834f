import type { GoneClient } from '../../src/client/client.ts'
import type { PoolJson } from '../../src/core/fleet/pool-wire.ts'
import { monotonicMs } from '../history.ts'
import { ASKED, type FleetStage, POOL, putRelease } from './stage.ts'
import { WORKER } from './steady-load.ts'

const KNOWN_WITHIN_MS = 30_000
/** Six places, each with a start, its proof and a drain of some seconds; longer where something happens meanwhile. */
const DEPLOYED_WITHIN_MS = 300_000
const ROLLED_BACK_WITHIN_MS = 60_000
const RESTARTED_WITHIN_MS = 120_000
/** Ways in which a release is no good. */
const BAD_LINES = ['setTimeout(() => process.exit(7), 3_000)\n', "throw new Error('it does not begin')\n"]

/** Half of them beside other faults: what dies of a new release then takes it back. */
export async function deployGood(stage: FleetStage): Promise<void> {
  if (stage.isDeploying) return
  const isAlone = stage.random.chance(0.5) && stage.beside.size === 0
  const deployed = deploy(stage, '', (pool) => {
    const state = pool?.rollout?.state
    return state === 'done' || (state === 'rolled-back' && !isAlone)
  })
  if (isAlone) await deployed
  else besides(stage, deployed)
}

export async function deployBad(stage: FleetStage): Promise<void> {
  if (stage.isDeploying) return
  const line = stage.random.pick(BAD_LINES)
  stage.marks.badReleases.add(String(stage.releases + 1))
  await deploy(stage, line, (pool) => pool?.rollout?.state === 'rolled-back', ROLLED_BACK_WITHIN_MS)
}

async function deploy(
  stage: FleetStage,
  line: string,
  isOver: (pool: PoolJson | undefined) => boolean,
  withinMs = DEPLOYED_WITHIN_MS,
): Promise<void> {
  const { world, sight } = stage
  stage.isDeploying = true
  try {
    // While a host is away or comes back, none is deployed to.
    if (stage.hosts.some(({ isTroubled }) => isTroubled)) return
    stage.releases += 1
    const release = String(stage.releases)
    putRelease(world, release, line)
    const areTold = async () => {
      const { supervisors } = await sight.ask(({ fleet }) => fleet.pools.list())
      const there = supervisors.filter(({ isLost }) => !isLost)
      return there.length > 0 && there.every(({ releases = [] }) => releases.includes(release))
    }
    await world.until(areTold, `all hosts know of release ${release}`, KNOWN_WITHIN_MS)
    world.fault(`release ${release} is deployed${line && ', which is no good'}`)
    await sight.ask(({ fleet }) => fleet.pools.deploy(POOL, release))
    let pool: PoolJson | undefined
    const isEnded = async () => {
      pool = await sight.ask(({ fleet }) => fleet.pools.get(POOL))
      return isOver(pool)
    }
    const startedMs = monotonicMs()
    await world.until(isEnded, `release ${release} is deployed, or rolled back`, withinMs)
    const { state, why = 'no reason' } = pool?.rollout ?? {}
    if (state === 'rolled-back' && !line)
      world.remarks.push(
        `release ${release} was rolled back after ${Math.round(monotonicMs() - startedMs)} ms: ${why}`,
      )
  } finally {
    stage.isDeploying = false
  }
}

/** All that are registered, one after the other. */
export async function restartAll(stage: FleetStage): Promise<void> {
  const { world, sight, hosts, beside } = stage
  if (stage.isDeploying || beside.size > 0 || hosts.some(({ isTroubled }) => isTroubled)) return
  const select = { worker: WORKER, state: 'registered' }
  const count = (await sight.ask(({ fleet }) => fleet.instances(select))).length
  if (count !== ASKED) return
  world.fault('an order restarts all')
  const order = ({ fleet }: GoneClient) =>
    fleet.order({ do: 'restart', select, count, within: '2m', reason: 'the mix' })
  const { id } = await sight.ask(order, 1)
  const isObeyed = async () => {
    const order = await sight.ask(({ fleet }) => fleet.orderOf(id))
    return order?.instances.every(({ outcome }) => outcome === 'done') === true
  }
  await world.until(isObeyed, 'all were restarted', RESTARTED_WITHIN_MS)
}

function besides({ beside }: FleetStage, work: Promise<void>): void {
  const done = work.catch(() => undefined).finally(() => beside.delete(done))
  beside.add(done)
}
