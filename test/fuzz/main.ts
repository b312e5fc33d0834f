import { parseArgs } from 'node:util'
import { fuzz } from '../support/fuzz.ts'
import { startFuzzTarget } from '../support/fuzz-target.ts'
import { watchVitals } from '../support/vitals.ts'

// npm run fuzz -- --minutes 10: bad requests to every endpoint of a real server; ends with 1 if one was answered badly.

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, path: { type: 'string' } },
})
const minutes = Number(values.minutes)
const seed = values.seed === undefined ? Date.now() % 2_147_483_647 : Number(values.seed)
if (!(minutes > 0 && minutes <= 24 * 60) || !Number.isInteger(seed)) {
  process.stderr.write('fuzz: expected --minutes from 0 to 1440, and --seed as an integer\n')
  process.exit(2)
}

const target = await startFuzzTarget()
process.stdout.write(`fuzz: ${minutes} minutes with seed ${seed}\n`)
const vitals = watchVitals(target.url, target.pid)
/** What comes after the caches are warm stays. */
const MAX_GROWN_MB = 64
try {
  const sent = await fuzz(target, {
    seed,
    ms: minutes * 60_000,
    ...(values.path !== undefined && { path: values.path }),
  })
  target.expectNoDefect()
  process.stdout.write(`fuzz: ${sent} requests, none answered badly\n`)
  const { p50Ms, p99Ms, asked, grownMb } = await vitals.stop()
  const grown = grownMb === undefined ? 'unknown' : `${grownMb.toFixed(1)} MB`
  process.stdout.write(
    `fuzz: /healthz ${asked} times meanwhile, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; memory grew by ${grown}\n`,
  )
  if (grownMb !== undefined && grownMb > MAX_GROWN_MB)
    throw new Error(
      `the server grew by ${grown}, more than ${MAX_GROWN_MB} MB, from the second fifth of the time to the last`,
    )
} catch (error) {
  const { message, cause } = error as Error
  process.stdout.write(`${message}\n${cause instanceof Error ? cause.message : ''}\n`)
  const path = /path: "([^"]+)"/.exec(message)?.[1]
  process.stdout.write(
    `fuzz: repeat with: npm run fuzz -- --seed ${seed}${path ? ` --path ${path}` : ` --minutes ${minutes}`}\n`,
  )
  process.exitCode = 1
} finally {
  await vitals.stop().catch(() => undefined)
  await target.stop()
}
