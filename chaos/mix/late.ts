import { Queue } from 'bullmq'
import { ROUNDS_QUEUE } from '../../src/core/rounds/job.ts'
import { roundKey } from '../../src/core/rounds/round.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import type { Operation } from '../history.ts'
import { untilTold } from '../load.ts'
import type { World } from '../world.ts'
import type { Stage } from './stage.ts'

const LATE = 'late'
const PATIENCE_MS = 4_000
const LOOK_MS = 50

/** A round that is led and one that is run as a job end, their jobs are removed, and whoever slept through it calls. */
export async function callLate(stage: Stage): Promise<void> {
  const { world, strong } = stage
  const led = `led-${world.random.int(0, 999_999)}`
  const run = `job-${led}`
  const random = world.random.fork(led)
  const call = (op: Operation, round: string, ask: object) =>
    untilTold(world, strong, op, round, ask, random, LATE)
  const job = { body: { worker: 'probe', data: {} } }

  await call('elect', led, { token: `${led}-leader` })
  await call('complete', led, { token: `${led}-leader` })
  await call('submit', run, job)
  const areGone = await Promise.all([remove(stage, ROUNDS_QUEUE, led), remove(stage, 'probe', run)])
  if (areGone.includes(false)) return
  world.fault(`the jobs of ${led} and ${run} are gone, and calls come late`)
  const starts = startsOf(world, run)
  await call('elect', led, { token: `${led}-late` })
  await call('complete', led, { token: `${led}-late` })
  await call('complete', led, { token: `${led}-leader` })
  await call('submit', run, job)
  await world.pause(500)
  const more = startsOf(world, run) - starts
  world.claim(more === 0, `${LATE}/${run}: started ${more} times more when its job was gone`)
}

/** False where the job has not ended in time: faults take theirs. */
async function remove({ world, admin }: Stage, name: string, round: string): Promise<boolean> {
  const queue = new Queue(name, { connection: admin, prefix: QUEUE_PREFIX })
  const id = roundKey({ system: LATE, round })
  try {
    const giveUpMs = performance.now() + PATIENCE_MS
    while ((await queue.getJobState(id)) !== 'completed') {
      if (performance.now() > giveUpMs) return false
      await world.pause(LOOK_MS)
    }
    world.notOnBoard.add(`${LATE}/${round}`)
    await queue.remove(id)
    return true
  } finally {
    await queue.close()
  }
}

function startsOf(world: World, round: string): number {
  return world.readEffects().filter((effect) => effect.round === round && effect.phase === 'start').length
}
