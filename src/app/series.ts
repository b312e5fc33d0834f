import { randomBytes } from 'node:crypto'
import { WorkSeries } from '../service/fleet/work-series.ts'
import { Loop } from '../service/loop.ts'
import { RedisSeries } from '../store/series/redis-series.ts'
import { type Ground, nowMs } from './assembly.ts'
import { processTotals } from './process-usage.ts'

const FOLD_EVERY_MS = 20_000

/** What was done for each worker, minute by minute. */
export function assembleSeries({ lines, log }: Ground) {
  const store = new RedisSeries(lines.commands)
  const tally = new WorkSeries({
    store,
    id: randomBytes(6).toString('hex'),
    release: '',
    // Those who take jobs over HTTP are counted here, and are not here.
    workers: [],
    totals: processTotals,
    log,
    nowMs,
  })
  // Runs in every server: of two that do the same one does it.
  const folding = new Loop({
    everyMs: FOLD_EVERY_MS,
    work: () => store.fold(),
    putOff: (cause) => log.debug({ cause }, 'minutes not put together'),
  })
  return { store, tally, works: [tally, folding] }
}
