// A thousand instances on a hundred hosts, as far as Redis can tell: pulses, and what was done in each minute.
import { once } from 'node:events'
import { connect, disconnect } from '../src/redis/connections.ts'
import { WorkSeries } from '../src/service/fleet/work-series.ts'
import { RedisSeries } from '../src/store/series/redis-series.ts'
import { silentLog } from '../test/support/log.ts'
import { SimulatedHosts } from '../test/support/simulated-hosts.ts'

const [redis = '', many = '1000', hosts = '100'] = process.argv.slice(2)
const simulated = new SimulatedHosts(redis, Number(many), Number(hosts))
const client = connect(redis, 'waiting', 'series', silentLog)
const series = new RedisSeries(client)
const tallies = simulated.ids.map(
  (id) =>
    new WorkSeries({
      store: series,
      id,
      release: '41',
      workers: ['simulated'],
      totals: () => ({ cpuMs: performance.now() / 100, rssBytes: 80_000_000 }),
      log: silentLog,
      nowMs: () => performance.now(),
    }),
)
await simulated.start()
for (const tally of tallies) tally.start()
// Each a job a second, of some 50 ms.
const working = setInterval(() => {
  for (const tally of tallies) {
    tally.waited('simulated', Math.random() * 20)
    tally.ended('simulated', 'done', -Math.log(1 - Math.random()) * 50)
  }
}, 1_000)
process.stdout.write('{"msg":"working"}\n')
await once(process, 'SIGTERM')
clearInterval(working)
await simulated.stop()
await disconnect(client)
process.exit()
