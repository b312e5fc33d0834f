import { createTask, type RunCoordinator, type TaskContext } from 'node-cron'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createClient, type NodeCronOptions, nodeCronCoordinator } from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let tasks = 0

beforeAll(async () => {
  server = await startTestServer()
})

const SYSTEM = 'reports'
const newKey = () => `task-${tasks++}:2026-11-22T08:00:00.000Z`
const client = () => createClient({ url: server.url })
/** Typed as node-cron's own, so that another interface of it would not compile. */
const replica = (options: Partial<NodeCronOptions> = {}): Required<RunCoordinator> =>
  nodeCronCoordinator({ client: client(), system: SYSTEM, ...options })
const stateOf = async (round: string) => (await client().round(SYSTEM, round))?.state

describe('the coordinator', () => {
  it('lets one of many replicas run, and completes the round when the task has ended', async () => {
    const key = newKey()
    const replicas = Array.from({ length: 10 }, () => replica())
    const allowed = await Promise.all(replicas.map((each) => each.shouldRun(key, 30_000)))
    expect(allowed.filter(Boolean)).toHaveLength(1)
    expect(await stateOf(key)).toBe('led')
    // The losers are not told of an end, and one that is told all the same says nothing of the round.
    await replicas[allowed.indexOf(false)]?.onComplete(key)
    expect(await stateOf(key)).toBe('led')
    await replicas[allowed.indexOf(true)]?.onComplete(key)
    expect(await stateOf(key)).toBe('completed')
    expect(await replica().shouldRun(key, 30_000)).toBe(false)
  })

  it('keeps the lease while the task runs longer', async () => {
    const key = newKey()
    const winner = replica()
    expect(await winner.shouldRun(key, 3_000)).toBe(true)
    // Nothing shows from outside that a lease was kept but that it is not over when it would have been.
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    expect(await replica().shouldRun(key, 1_000)).toBe(false)
    await winner.onComplete(key)
    expect(await stateOf(key)).toBe('completed')
  })

  it('lets a loser that stands by run when the winner has died', async () => {
    const key = newKey()
    const dead = createClient({ url: server.url })
    expect(await dead.elect(SYSTEM, key, { lease: '1s' })).toMatchObject({ leads: true })
    const standby = replica({ wait: '20s' })
    expect(await standby.shouldRun(key, 30_000)).toBe(true)
    await standby.onComplete(key)
    expect((await client().round(SYSTEM, key))?.state).toBe('completed')
  })

  it('tells at once that the lead was lost, and node-cron when the task has ended', async () => {
    const key = newKey()
    const onError = vi.fn()
    const winner = replica({ onError, lease: '3s' })
    expect(await winner.shouldRun(key, 30_000)).toBe(true)
    const led = await client().round(SYSTEM, key)
    await client().complete(SYSTEM, key, { fence: (led as { fence: number }).fence })
    await vi.waitFor(
      () => expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'LEASE_LOST' }), key),
      5_000,
    )
    await expect(winner.onComplete(key)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })

  it('rejects where no server answers, so that node-cron does not run the task', async () => {
    const down = createClient({ url: 'http://127.0.0.1:9', timeoutMs: 100 })
    await expect(replica({ client: down }).shouldRun(newKey(), 30_000)).rejects.toMatchObject({
      code: 'SERVER_UNREACHABLE',
    })
  })

  it.each(['a/b', 'two words', 'e\u0301', 'zero\u200bwidth'])('takes a task named %j', async (name) => {
    const key = `${name}:2026-11-22T08:00:00.000Z`
    const winner = replica()
    expect(await winner.shouldRun(key, 30_000)).toBe(true)
    expect(await replica().shouldRun(key, 30_000)).toBe(false)
    await winner.onComplete(key)
    expect(await stateOf(encodeURIComponent(key))).toBe('completed')
  })

  it('takes a lease that the server would not', async () => {
    for (const ttlMs of [1, 10 ** 12]) {
      const [key, winner] = [newKey(), replica()]
      expect(await winner.shouldRun(key, ttlMs)).toBe(true)
      await winner.onComplete(key)
    }
  })

  it('refuses at once what it could never ask for', () => {
    expect(() => replica({ system: 'a/b' })).toThrow(/^system: must not contain/)
    expect(() => replica({ lease: 'long' })).toThrow(/^lease: expected a duration/)
  })
})

describe('a task of node-cron', () => {
  /** The events of a task that is due each second, in one replica. */
  function start(name: string, runCoordinator: RunCoordinator, work: (context: TaskContext) => unknown) {
    const skipped: TaskContext[] = []
    const quiet = { info() {}, warn() {}, error() {}, debug() {} }
    const task = createTask('* * * * * *', work, { name, distributed: true, runCoordinator, logger: quiet })
    task.on('execution:skipped', (context) => void skipped.push(context))
    void task.start()
    onTestFinished(() => void task.destroy())
    return { skipped }
  }

  it('that throws has run: its round is completed, and no other replica runs it', async () => {
    const runs: string[] = []
    const work = ({ date }: TaskContext) => {
      runs.push(date.toISOString())
      throw new Error('no paper')
    }
    for (let each = 0; each < 2; each++) start('throws', replica(), work)
    await vi.waitFor(() => expect(runs.length).toBeGreaterThan(3), 30_000)
    expect(new Set(runs).size).toBe(runs.length)
    await vi.waitFor(async () => expect(await stateOf(`throws:${runs[0]}`)).toBe('completed'), 30_000)
  })

  it('is skipped while no server answers', async () => {
    const down = createClient({ url: 'http://127.0.0.1:9', timeoutMs: 100 })
    const work = vi.fn()
    const { skipped } = start('down', replica({ client: down }), work)
    await vi.waitFor(() => expect(skipped.length).toBeGreaterThan(1), 30_000)
    expect(skipped[0]?.reason).toBe('coordinator-error')
    expect(work).not.toHaveBeenCalled()
  })
})
