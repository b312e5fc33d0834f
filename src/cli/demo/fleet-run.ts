import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { GoneServer } from '../../app/server.ts'
import { createClient, type GoneClient } from '../../client/client.ts'
import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import { GoneError } from '../../errors.ts'
import { endsOrIsKilled, forkProgram } from '../../process/program.ts'
import { endsWithin, pause } from '../../waiting.ts'
import { EXIT } from '../terminal.ts'
import { makeDataDir } from './data-dir.ts'
import { Faults } from './fleet-faults.ts'
import { FleetJournal } from './fleet-journal.ts'
import { FleetScreen, type FleetView, fleetSummary } from './fleet-screen.ts'
import { HOSTS, JOURNAL, type Orders, POOL, POOL_SIZE, POOL_WORKER } from './protocol.ts'
import { putRelease } from './releases.ts'
import { type DemoOptions, redisUrlIn, startDemoServer } from './run.ts'
import { watchForTheEnd } from './watch-for-the-end.ts'

type Ending = 'enough' | 'interrupted' | Error

const REDRAW_MS = 250
const READ_EVERY_MS = 300
const ALL_WORK_WITHIN_MS = 60_000
const JOBS_END_MS = 20_000
const STOP_WITHIN_MS = 10_000
const END_WITHIN_MS = 4_000

/**
 * Runs the demo of a fleet until Ctrl-C, or for so many faults; whatever it started is gone when it returns.
 *
 * @returns the exit code: whether every job was completed once, and what was broken was whole again
 * @throws Error where the server or a host could not run
 */
export function runFleetDemo(options: DemoOptions): Promise<number> {
  return new FleetDemo(options).run()
}

interface Running {
  readonly url: string
  readonly client: GoneClient
  readonly journal: FleetJournal
  readonly faults: Faults
}

class FleetDemo {
  private readonly screen = new FleetScreen(process.stdout)
  private readonly dataDir = makeDataDir()
  private readonly hosts: ChildProcess[] = []
  private status: string | undefined = 'starting Redis, the server and two hosts ...'
  private running: Running | undefined
  private ending: Ending | undefined
  private instances: readonly InstanceJson[] = []
  private hasBegun = false
  private readonly ended: Promise<Ending>
  private finish: (ending: Ending) => void = () => {}

  constructor(private readonly options: DemoOptions) {
    this.ended = new Promise((resolve) => {
      this.finish = (ending) => {
        this.ending ??= ending
        resolve(ending)
      }
    })
  }

  async run(): Promise<number> {
    const stopWatching = watchForTheEnd(() => this.finish('interrupted'))
    const redraw = setInterval(() => this.screen.show(this.view()), REDRAW_MS)
    process.once('uncaughtException', (error) => this.finish(error))
    const starting = this.start()
    starting.catch((error: Error) => this.finish(error))
    const ending = await this.ended

    this.status = 'ending the jobs, the hosts, the server and Redis ...'
    await this.running?.faults.stop()
    await this.running?.journal.stop(ending instanceof Error ? 0 : JOBS_END_MS)
    const { running } = this
    if (running) this.instances = await running.client.fleet.instances().catch(() => this.instances)
    const sums = running?.journal.sums()
    const last = this.view()
    await endsWithin(STOP_WITHIN_MS, this.stop(starting))
    clearInterval(redraw)
    stopWatching()

    const isPromised =
      sums === undefined ||
      (sums.completed === sums.submitted && sums.twice === 0 && running?.faults.failed === 0)
    const { status: _, ...view } = last
    const text = ending instanceof Error || !sums ? undefined : fleetSummary(sums, view.faults, isPromised)
    this.screen.end(view, text)
    if (ending instanceof Error) throw ending
    return isPromised ? EXIT.done : EXIT.notNow
  }

  private async start(): Promise<GoneServer> {
    const { port, every, rounds } = this.options
    const server = await startDemoServer(port, this.dataDir, (line) => {
      this.status = line
    })
    const client = createClient({ url: server.url })
    putRelease(this.dataDir, '1', true)
    await client.fleet.pools.put(POOL, { instances: POOL_SIZE, workers: [POOL_WORKER], release: '1' })
    const journal = new FleetJournal(client, join(this.dataDir, JOURNAL))
    const faults = new Faults({
      client,
      journal,
      dataDir: this.dataDir,
      everyMs: every,
      ...(rounds !== undefined && { max: rounds }),
      onEnough: () => this.finish('enough'),
    })
    this.running = { url: server.url, client, journal, faults }
    if (this.ending !== undefined) return server
    this.status = `starting two hosts with ${POOL_SIZE} instances ...`
    for (const host of HOSTS) this.startHost(host, server.url)
    await this.untilAllWork(client)
    if (this.ending !== undefined) return server
    this.status = undefined
    this.hasBegun = true
    void this.watch(client)
    journal.start()
    faults.start()
    return server
  }

  private startHost(host: string, url: string): void {
    const child = forkProgram(new URL('./fleet-host.ts', import.meta.url), [this.dataDir, host], true)
    this.hosts.push(child)
    const redisUrl = redisUrlIn(this.dataDir)
    const orders: Orders = { url, everyMs: 0, notBeforeMs: 0, ...(redisUrl !== undefined && { redisUrl }) }
    void once(child, 'message').then(
      () => child.send({ kind: 'begin', ...orders }, () => {}),
      () => {},
    )
    child.on('error', (error) => this.finish(error))
    child.on('close', (code) => {
      if (this.ending === undefined)
        this.finish(new GoneError('INTERNAL', `host ${host} ended (code ${code})`))
    })
  }

  private async untilAllWork({ fleet }: GoneClient): Promise<void> {
    const giveUpMs = performance.now() + ALL_WORK_WITHIN_MS
    while (this.ending === undefined) {
      const { working = 0 } = (await fleet.pools.get(POOL)) ?? {}
      if (working === POOL_SIZE) return
      if (performance.now() > giveUpMs)
        throw new GoneError('INTERNAL', `only ${working} of ${POOL_SIZE} instances started`)
      await pause(READ_EVERY_MS)
    }
  }

  /** Not by listening: what is listened to is without numbers. */
  private async watch({ fleet }: GoneClient): Promise<void> {
    while (this.ending === undefined) {
      this.instances = await fleet.instances().catch(() => this.instances)
      await pause(READ_EVERY_MS)
    }
  }

  private async stop(starting: Promise<GoneServer>): Promise<void> {
    await Promise.all(
      this.hosts.map((child) => {
        if (child.connected) child.send({ kind: 'end' }, () => {})
        return endsOrIsKilled(child, END_WITHIN_MS)
      }),
    )
    const server = await starting.catch(() => undefined)
    await server?.stop()
  }

  private view(): FleetView {
    const { running, status } = this
    return {
      instances: this.instances,
      faults: running?.faults.all ?? [],
      ...(running && this.hasBegun && { sums: running.journal.sums() }),
      ...(running && { url: running.url }),
      ...(status !== undefined && { status }),
    }
  }
}
