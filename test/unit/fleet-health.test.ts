import { describe, expect, it } from 'vitest'
import {
  judge,
  marksOf,
  NOTHING_WATCHED,
  type QueueFacts,
  unattended,
  type Watched,
} from '../../src/core/fleet/health.ts'
import type { Instance, WorkerStats } from '../../src/core/fleet/instance.ts'
import { whyOver, wrongsOf } from '../../src/core/fleet/wrongs.ts'

const AFTER_MS = 30_000

function instance(id: string, stats: Partial<WorkerStats> = {}, more: Partial<Instance> = {}): Instance {
  return {
    id,
    workers: [{ name: 'mailer', slots: 2 }],
    release: '41',
    region: 'eu',
    host: 'eu-a',
    pid: 1,
    version: '0.1.0',
    mode: 'registered',
    startedAtMs: 0,
    change: 1,
    stats: {
      workers: { mailer: { running: 0, done: 0, failed: 0, ...stats } },
      cpuPercent: 0,
      rssBytes: 0,
      loopDelayMs: 0,
    },
    ...more,
  }
}

const queue = (more: Partial<QueueFacts> = {}): QueueFacts => ({
  worker: 'mailer',
  ready: 5,
  pending: 5,
  active: 0,
  isHeld: false,
  taken: 0,
  ...more,
})

interface Scene {
  readonly instances: readonly Instance[]
  readonly queues: readonly QueueFacts[]
}

/** Looks at each scene, a second after the one before. */
function watch(scenes: readonly Scene[]) {
  let watched: Watched = NOTHING_WATCHED
  let last = judge([], [], watched, 0)
  for (const [second, { instances, queues }] of scenes.entries()) {
    last = judge(instances, queues, watched, second * 1_000, AFTER_MS)
    watched = last.watched
  }
  return { stuck: [...last.stuck.keys()], noWorker: [...last.noWorker.keys()] }
}

const always = (scene: Scene, seconds = 31): readonly Scene[] => Array.from({ length: seconds }, () => scene)

describe('an instance', () => {
  it('is stuck when it has room, jobs wait, and it has taken none for long', () => {
    expect(watch(always({ instances: [instance('a')], queues: [queue()] }))).toEqual({
      stuck: ['a'],
      noWorker: [],
    })
    expect(watch(always({ instances: [instance('a')], queues: [queue()] }, 30)).stuck).toEqual([])
  })

  it('is stuck with one of two slots busy', () => {
    expect(watch(always({ instances: [instance('a', { running: 1 })], queues: [queue()] })).stuck).toEqual([
      'a',
    ])
  })

  it('is judged beside others that work', () => {
    const scenes = Array.from({ length: 31 }, (_, second) => ({
      instances: [instance('a'), instance('b', { lastTakenAtMs: second * 1_000 + 1 })],
      queues: [queue()],
    }))
    expect(watch(scenes).stuck).toEqual(['a'])
  })

  const HARMLESS: readonly (readonly [string, Scene])[] = [
    ['nothing waits', { instances: [instance('a')], queues: [queue({ ready: 0 })] }],
    ['there is no queue', { instances: [instance('a')], queues: [] }],
    ['the queue is paused or limited', { instances: [instance('a')], queues: [queue({ isHeld: true })] }],
    ['long jobs have all its slots', { instances: [instance('a', { running: 2 })], queues: [queue()] }],
    ['it is unregistered', { instances: [instance('a', {}, { mode: 'unregistered' })], queues: [queue()] }],
    ['it stops', { instances: [instance('a', {}, { mode: 'stopping' })], queues: [queue()] }],
    ['it is lost', { instances: [instance('a', {}, { end: { kind: 'lost', atMs: 0 } })], queues: [queue()] }],
    ['jobs wait for another worker', { instances: [instance('a')], queues: [queue({ worker: 'report' })] }],
    ['its numbers were never heard', { instances: [withoutStats(instance('a'))], queues: [queue()] }],
  ]

  it.each(HARMLESS)('is not stuck where %s', (_, scene) => {
    expect(watch(always(scene, 300)).stuck).toEqual([])
  })

  it('is not stuck where it takes a job now and then', () => {
    const scenes = Array.from({ length: 300 }, (_, second) => ({
      instances: [instance('a', { lastTakenAtMs: Math.floor(second / 25) * 25_000 + 1 })],
      queues: [queue()],
    }))
    expect(watch(scenes).stuck).toEqual([])
  })

  it('is not stuck where the jobs were away for one look', () => {
    const scenes = always({ instances: [instance('a')], queues: [queue()] }, 45).map((scene, second) =>
      second === 20 ? { ...scene, queues: [queue({ ready: 0 })] } : scene,
    )
    expect(watch(scenes).stuck).toEqual([])
  })

  it('is judged by each of its workers', () => {
    const workers = [
      { name: 'mailer', slots: 1 },
      { name: 'report', slots: 1 },
    ]
    const stats = (lastTakenAtMs: number) => ({
      workers: {
        mailer: { running: 0, done: 0, failed: 0 },
        report: { running: 0, done: 9, failed: 0, lastTakenAtMs },
      },
      cpuPercent: 0,
      rssBytes: 0,
      loopDelayMs: 0,
    })
    const scenes = Array.from({ length: 31 }, (_, second) => ({
      instances: [instance('a', {}, { workers, stats: stats(second * 1_000 + 1) })],
      queues: [queue(), queue({ worker: 'report' })],
    }))
    expect(watch(scenes).stuck).toEqual(['a'])
  })
})

describe('a worker', () => {
  it('is missed when its jobs wait for long and nobody is registered for it', () => {
    expect(watch(always({ instances: [], queues: [queue()] })).noWorker).toEqual(['mailer'])
    const resting = instance('a', {}, { mode: 'unregistered' })
    expect(watch(always({ instances: [resting], queues: [queue()] })).noWorker).toEqual(['mailer'])
  })

  it('is not missed where somebody takes the jobs who is not on the list', () => {
    const scenes = Array.from({ length: 100 }, (_, second) => ({
      instances: [],
      queues: [queue({ taken: Math.floor(second / 20) })],
    }))
    expect(watch(scenes).noWorker).toEqual([])
  })

  it('is not missed while somebody who is not registered has one of its jobs in hand, however long', () => {
    const scenes = always({ instances: [], queues: [queue({ active: 1 })] }, 120)
    expect(watch(scenes).noWorker).toEqual([])
    expect(watch([...scenes, ...always({ instances: [], queues: [queue()] }, 30)]).noWorker).toEqual([])
    expect(watch([...scenes, ...always({ instances: [], queues: [queue()] })]).noWorker).toEqual(['mailer'])
  })

  it('is found as soon as somebody takes a job, though others wait', () => {
    const missing = judge([], [queue()], NOTHING_WATCHED, 0)
    const found = judge([], [queue({ active: 1 })], missing.watched, 1_000)
    const wrong = { kind: 'no-worker', name: 'mailer' } as const
    expect(whyOver(wrong, [], missing)).toBeUndefined()
    expect(whyOver(wrong, [], found)).toMatch('serves it')
    const taken = judge([], [queue({ taken: 1 })], missing.watched, 1_000)
    expect(whyOver(wrong, [], taken)).toMatch('serves it')
    // A server that has just begun to look does not know since when.
    expect(whyOver(wrong, [], judge([], [queue({ taken: 1 })], NOTHING_WATCHED, 1_000))).toBeUndefined()
  })

  it('is not missed where the queue is paused', () => {
    expect(watch(always({ instances: [], queues: [queue({ isHeld: true })] }, 300)).noWorker).toEqual([])
  })
})

describe('marks', () => {
  it('say what has changed, once', () => {
    const stuck = instance('b', {}, { stuckSinceMs: 5 })
    const judged = new Map([
      ['a', 1],
      ['c', 2],
    ])
    const judgement = { watched: NOTHING_WATCHED, stuck: judged, noWorker: new Map<string, number>() }
    expect(marksOf([instance('a'), stuck, instance('c', {}, { stuckSinceMs: 2 })], judgement)).toEqual([
      { id: 'a', stuckSinceMs: 1 },
      { id: 'b', stuckSinceMs: undefined },
    ])
  })
})

describe('what is told of the fleet', () => {
  const none = {
    watched: NOTHING_WATCHED,
    stuck: new Map<string, number>(),
    noWorker: new Map<string, number>(),
  }
  const idle = new Map([['a', new Map([['mailer', 5]])]])
  const lost = instance('a', {}, { end: { kind: 'lost', atMs: 10 } })

  it('is that jobs have nobody, that an instance takes none, and that one is silent', () => {
    const judgement = { ...none, stuck: new Map([['b', 1]]), noWorker: new Map([['report', 2]]) }
    const found = wrongsOf([lost, instance('b')], judgement)
    expect(found.map(({ kind, name, sinceMs }) => [kind, name, sinceMs])).toEqual([
      ['no-worker', 'report', 2],
      ['stuck', 'b', 1],
      ['unresponsive', 'a', 10],
    ])
  })

  it('is not that one is silent which was replaced since', () => {
    const replaced = [lost, instance('b', {}, { startedAtMs: 11 })]
    expect(wrongsOf(replaced, none)).toEqual([])
    expect(whyOver({ kind: 'unresponsive', name: 'a' }, replaced, none)).toMatch('others serve')
    const before = [lost, instance('b', {}, { startedAtMs: 9 })]
    expect(wrongsOf(before, none)).toHaveLength(1)
    expect(whyOver({ kind: 'unresponsive', name: 'a' }, before, none)).toBeUndefined()
  })

  it('is that an event loop does not answer, until it does or the instance is no more', () => {
    const silent = instance('c', {}, { mode: 'unresponsive', startedAtMs: 7 })
    expect(wrongsOf([silent], none).map(({ kind, name }) => [kind, name])).toEqual([['unresponsive', 'c']])
    expect(whyOver({ kind: 'unresponsive', name: 'c' }, [silent], none)).toBeUndefined()
    expect(whyOver({ kind: 'unresponsive', name: 'c' }, [instance('c')], none)).toMatch('heard again')
    const died = instance('c', {}, { end: { kind: 'died', atMs: 9 } })
    expect(whyOver({ kind: 'unresponsive', name: 'c' }, [died], none)).toMatch('it died')
  })

  it('is that the instances of a place die again and again, until one lives', () => {
    const place = instance('p-2', {}, { mode: 'crash-looping', startedAtMs: 7 })
    expect(wrongsOf([place], none).map(({ kind, name, sinceMs }) => [kind, name, sinceMs])).toEqual([
      ['crash-loop', 'p-2', 7],
    ])
    expect(whyOver({ kind: 'crash-loop', name: 'p-2' }, [place], none)).toBeUndefined()
    expect(whyOver({ kind: 'crash-loop', name: 'p-2' }, [], none)).toMatch('has lived')
  })

  it('is not over for a server that has just begun to look', () => {
    const looked = { ...none, watched: { ...NOTHING_WATCHED, idle, unserved: new Map([['report', 5]]) } }
    expect(whyOver({ kind: 'stuck', name: 'a' }, [instance('a')], looked)).toBeUndefined()
    expect(whyOver({ kind: 'no-worker', name: 'report' }, [], looked)).toBeUndefined()
    const marked = instance('a', {}, { stuckSinceMs: 1 })
    expect(marksOf([marked], looked)).toEqual([])
    expect(marksOf([marked], none)).toEqual([{ id: 'a', stuckSinceMs: undefined }])
    expect(whyOver({ kind: 'stuck', name: 'a' }, [marked], none)).toMatch('takes jobs')
    expect(whyOver({ kind: 'stuck', name: 'a' }, [], none)).toMatch('ended')
    expect(whyOver({ kind: 'no-worker', name: 'report' }, [], none)).toMatch('serves it')
    expect(whyOver({ kind: 'unresponsive', name: 'a' }, [instance('a')], none)).toMatch('heard again')
    expect(whyOver({ kind: 'unresponsive', name: 'a' }, [], none)).toMatch('forgotten')
  })
})

it.each([
  ['nobody is there', []],
  ['all who serve it take no jobs', [instance('a', {}, { mode: 'unregistered' })]],
  ['they have ended', [instance('a', {}, { end: { kind: 'died', atMs: 9 } })]],
  ['others are there', [instance('a', {}, { workers: [{ name: 'other', slots: 1 }] })]],
])('looks after jobs that somebody has in hand where %s', (_, instances) => {
  expect(unattended(instances, [queue({ active: 1 })])).toEqual(['mailer'])
  expect(unattended(instances, [queue({ active: 0 }), queue({ active: 1, region: 'eu' })])).toEqual([])
  expect(unattended([...instances, instance('z')], [queue({ active: 1 })])).toEqual([])
})

function withoutStats({ stats: _, ...rest }: Instance): Instance {
  return rest
}
