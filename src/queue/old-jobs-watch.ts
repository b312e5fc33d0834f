import type { Log } from '../core/rounds/round-ports.ts'
import { Loop, type Work } from '../service/loop.ts'
import type { OldQueue } from './old-queues.ts'

const LOOK_EVERY_MS = 30_000
/** While there is something: whoever moves it wants to see it gone. */
const LOOK_AGAIN_MS = 3_000
const MOST_NAMED = 3

/** What is to be said of jobs that nobody of this build takes; undefined where there are none. */
export function oldJobsText(queues: readonly OldQueue[]): string | undefined {
  const found = queues
    .map(({ name, pending, active }) => ({ name, jobs: pending + active }))
    .filter(({ jobs }) => jobs > 0)
    .sort((a, b) => b.jobs - a.jobs)
  if (found.length === 0) return undefined
  const sum = found.reduce((all, { jobs }) => all + jobs, 0)
  const named = found.slice(0, MOST_NAMED).map(({ name, jobs }) => `${jobs} of ${name}`)
  const more = found.length > MOST_NAMED ? ` and of ${found.length - MOST_NAMED} more queues` : ''
  return (
    `${sum} ${sum === 1 ? 'job is' : 'jobs are'} where older builds kept queues in a Cluster (${named.join(', ')}${more}), ` +
    'which only workers of such a build take; "gone queues adopt" moves them (docs/redis.md)'
  )
}

/** Notices jobs that are where older builds kept them in a Cluster, so that none waits there unseen. */
export class OldJobsWatch implements Work {
  private readonly loop: Loop
  private said: string | undefined

  /** @param look finds what is there */
  constructor(
    private readonly look: () => Promise<readonly OldQueue[]>,
    private readonly log: Log,
  ) {
    this.loop = new Loop({
      everyMs: () => (this.said === undefined ? LOOK_EVERY_MS : LOOK_AGAIN_MS),
      work: () => this.check(),
      putOff: (cause) => log.debug({ cause }, 'not looked where older builds kept queues'),
    })
  }

  /** As it was found last. */
  get warning(): string | undefined {
    return this.said
  }

  start(): void {
    this.loop.start()
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  private async check(): Promise<void> {
    const found = oldJobsText(await this.look())
    if (found !== undefined && this.said === undefined) this.log.warn({}, found)
    if (found === undefined && this.said !== undefined)
      this.log.info({}, 'no jobs are left where older builds kept queues')
    this.said = found
  }
}
