import { playDenseSlots } from '../test/support/dense-slots.ts'
import { startRedis } from '../test/support/redis.ts'
import { type Figure, quantile } from './figures.ts'

const LASTS_MS = 600_000

/** Ten minutes of five slots a second, while the three servers, whose clocks are seconds apart, are killed at random. */
export async function measureKilled(signal: AbortSignal, say: (line: string) => void): Promise<Figure[]> {
  const redis = await startRedis()
  try {
    say(`killed: servers are killed at random for ${LASTS_MS / 60_000} minutes`)
    const played = await playDenseSlots(redis, { lastsMs: LASTS_MS, signal })
    for (const slot of [...played.lost, ...played.notRun]) say(`killed: ${slot} was lost or not run`)
    for (const slot of played.runTwice) say(`killed: ${slot} was run twice`)
    const latenessMs = Float64Array.from(played.latenessMs).sort()
    return [
      { name: 'killedServers', count: played.kills },
      { name: 'killedSlots', count: played.slots },
      { name: 'killedLost', count: played.lost.length + played.notRun.length },
      { name: 'killedTwice', count: played.runTwice.length },
      { name: 'killedLateness', p50Ms: quantile(latenessMs, 0.5), p99Ms: quantile(latenessMs, 0.99) },
    ]
  } finally {
    await redis.stop()
  }
}
