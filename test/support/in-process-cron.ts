import { schedule, setRunCoordinator } from 'node-cron'
import type { Fetch } from '../../src/client/transport.ts'
import { createClient, every, nodeCronCoordinator } from '../../src/index.ts'

// A replica as a process of its own: keeps a cron in itself and prints a line of JSON for each run, until it is told to
// stop. `every` or `node-cron` says which; its clock may be skewed by skew.ts.
const [kind = '', system = '', url = ''] = process.argv.slice(2)
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
/** Says how long the servers' clock took to read: half of that is how well it can be known here. */
const timedFetch: Fetch = async (address, init) => {
  const sentMs = performance.now()
  const reply = await fetch(address, init)
  const body = await reply.text()
  if (address.includes('/slot?')) say({ clockReadInMs: performance.now() - sentMs })
  return { status: reply.status, headers: reply.headers, text: async () => body }
}
const client = createClient({ url, fetch: timedFetch })
const realMs = () => Math.round(performance.timeOrigin + performance.now())

let stop: () => Promise<void>
if (kind === 'every') {
  const cron = every('* * * * * *', { client, system, tz: 'Europe/Berlin' }, ({ slot, at, fence }) => {
    say({ ran: slot, dueMs: at.getTime(), atMs: realMs(), fence })
  })
  stop = () => cron.stop()
} else {
  setRunCoordinator(nodeCronCoordinator({ client, system }))
  const options = { name: 'tick', distributed: true, timezone: 'Europe/Berlin' }
  const task = schedule(
    '* * * * * *',
    ({ date }) => void say({ ran: date.toISOString(), dueMs: date.getTime(), atMs: realMs() }),
    options,
  )
  task.on('execution:skipped', ({ date, reason }) => void say({ skipped: date.toISOString(), reason }))
  stop = async () => {
    await task.stop()
  }
}
say({ started: true })
process.once('SIGTERM', async () => {
  await stop()
  process.exit(0)
})
