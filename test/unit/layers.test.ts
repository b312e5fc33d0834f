import { expect, it } from 'vitest'
import { importsOf, type Module, modulesIn } from '../support/imports.ts'

/**
 * What each place of the tree may import besides itself: a file, a folder with all that is in it, a package, `node:*`.
 * A place is a file or a folder of `src`, a folder of `src/core`, `workers` and its folders. One that is not here may
 * not be.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/errors.ts': [],
  'src/version.ts': ['node:fs'],
  'src/waiting.ts': [],
  'src/networks.ts': ['node:net'],
  'src/setting-rules.ts': ['src/core', 'src/redis/redis-url.ts'],
  'src/settings.ts': [
    'src/base-path.ts',
    'src/core',
    'src/networks.ts',
    'src/redis/redis-url.ts',
    'src/setting-rules.ts',
  ],
  'src/trace-settings.ts': ['src/core', 'src/setting-rules.ts', 'src/settings.ts'],
  'src/secrets.ts': ['src/errors.ts', 'src/redis/redis-url.ts', 'src/settings.ts', 'node:fs'],
  'src/config.ts': [
    'src/core',
    'src/errors.ts',
    'src/redis/redis-url.ts',
    'src/secrets.ts',
    'src/service-links.ts',
    'src/settings.ts',
    'src/trace-settings.ts',
  ],
  'src/service-links.ts': [],
  'src/base-path.ts': [],
  'src/log.ts': ['src/config.ts', 'src/log-output.ts', 'src/log-text.ts', 'src/secrets.ts', 'pino'],
  'src/log-text.ts': ['src/core', 'picocolors'],
  'src/log-output.ts': ['node:fs', 'node:tty'],
  // What is published.
  'src/index.ts': ['src/client', 'src/core', 'src/errors.ts'],

  // Decides, and does no I/O. Time, what all use, rounds, schedules, alerts: each stands on those before it.
  'src/core/time': ['src/errors.ts', 'croner'],
  'src/core': ['src/core/time', 'src/errors.ts', 'node:crypto'],
  'src/core/rounds': ['src/core/time', 'src/core/*', 'src/errors.ts', 'node:crypto'],
  'src/core/schedules': ['src/core/time', 'src/core/*', 'src/core/rounds', 'src/errors.ts', 'node:crypto'],
  'src/core/alerts': [
    'src/core/time',
    'src/core/*',
    'src/core/rounds',
    'src/core/schedules',
    'src/errors.ts',
    'node:crypto',
  ],
  'src/core/fleet': ['src/core/time', 'src/core/*', 'src/core/rounds', 'src/errors.ts'],

  // What is held and killed: processes, their groups and their output.
  'src/process': ['src/errors.ts', 'src/waiting.ts', 'node:*'],

  // The use cases. They reach what is outside through the ports in core.
  'src/service': ['src/core', 'src/errors.ts', 'src/waiting.ts', 'node:events', 'lru-cache'],

  // The adapters: they know neither HTTP nor the command line.
  'src/redis': [
    'src/core',
    'src/errors.ts',
    'src/waiting.ts',
    'node:fs',
    'node:module',
    'node:net',
    'node:tls',
    'ioredis',
  ],
  'src/store': [
    'src/core',
    'src/redis',
    'src/errors.ts',
    'src/waiting.ts',
    'node:crypto',
    'ioredis',
    'lru-cache',
  ],
  'src/queue': [
    'src/core',
    'src/service',
    'src/redis',
    'src/errors.ts',
    'src/waiting.ts',
    'node:crypto',
    'node:events',
    'node:module',
    'bullmq',
    'lru-cache',
  ],
  'src/gate': ['src/core', 'src/redis', 'src/waiting.ts', 'ioredis', 'redlock'],
  'src/otlp': ['src/core', 'src/waiting.ts', 'node:crypto'],
  'src/hook': [
    'src/core',
    'src/process',
    'src/waiting.ts',
    'node:crypto',
    'node:dns',
    'node:dns/promises',
    'node:http',
    'node:https',
    'node:net',
  ],
  'src/embedded': ['src/core', 'src/process', 'src/errors.ts', 'src/waiting.ts', 'node:*'],

  // The facade. It shows queues, and opens none.
  'src/http': [
    'src/base-path.ts',
    'src/core',
    'src/service',
    'src/errors.ts',
    'src/networks.ts',
    'src/waiting.ts',
    'node:async_hooks',
    'node:buffer',
    'node:crypto',
    'node:http',
    'node:module',
    'node:net',
    'node:perf_hooks',
    'node:zlib',
    'fastify',
    '@fastify/swagger',
    '@fastify/swagger-ui',
    '@bull-board/api',
    '@bull-board/fastify',
    'bullmq',
    'lru-cache',
    'prom-client',
  ],

  // The SDK runs in browsers too: `fetch`, and nothing of Node or of the server.
  'src/client': ['src/core', 'src/errors.ts', 'src/waiting.ts'],

  // A gone in memory, for the tests of whoever uses it.
  'src/testing': [
    'src/client',
    'src/core',
    'src/store/records/memory-records.ts',
    'src/errors.ts',
    'src/waiting.ts',
  ],

  // Runs in browsers, which ask the facade; of the server it knows types. Its one package is copied beside it.
  'src/console': ['src/core', 'preact'],

  // Knows every part.
  'src/app': [
    'src/core',
    'src/service',
    'src/redis',
    'src/store',
    'src/queue',
    'src/gate',
    'src/hook',
    'src/otlp',
    'src/embedded',
    'src/process',
    'src/http',
    'src/client',
    'src/config.ts',
    'src/errors.ts',
    'src/version.ts',
    'src/waiting.ts',
    'node:*',
    'pino',
  ],

  // Asks a server as anybody does, and starts one. The keys are made where Redis is.
  'src/cli': [
    'src/core',
    'src/client',
    'src/app',
    'src/redis',
    'src/store',
    'src/embedded',
    'src/process',
    'src/config.ts',
    'src/errors.ts',
    'src/log.ts',
    'src/secrets.ts',
    'src/settings.ts',
    'src/version.ts',
    'src/waiting.ts',
    'node:*',
    'close-with-grace',
    'commander',
    'log-update',
    'picocolors',
    'pino',
    'yaml',
  ],

  // A worker knows the SDK and core, and not the server.
  workers: [
    'workers/lib',
    'src/index.ts',
    'src/core',
    'src/hook',
    'src/secrets.ts',
    'src/waiting.ts',
    'node:*',
  ],
  'workers/lib': ['src/core', 'src/hook', 'src/process', 'src/errors.ts', 'src/waiting.ts', 'node:*'],
}

/** What breaks the plan, a line each. */
function breachesOf(modules: readonly Module[]): string[] {
  return modules.flatMap(({ file, imports }) => {
    const place = placeOf(file)
    const may = MAY_IMPORT[place]
    if (may === undefined) return [`${file}: nothing says what ${place} may import`]
    const banned = imports.filter((to) => placeOf(to) !== place && !may.some((name) => isIn(to, name)))
    return banned.map((to) => `${file}: ${place} may not import ${to}`)
  })
}

/** `src/core/x/y.ts` is of `src/core/x`, `src/x/y/z.ts` of `src/x`, and `src/x.ts` a place of its own. */
function placeOf(path: string): string {
  const folders = path.split('/').slice(0, -1)
  if (path.startsWith('src/') && folders.length === 1) return path
  return folders.slice(0, folders[1] === 'core' ? 3 : 2).join('/')
}

/** Of a folder, of the files right in it (`src/core/*`), of Node (`node:*`), or that very one. */
function isIn(path: string, name: string): boolean {
  if (name === 'node:*') return path.startsWith('node:')
  if (name.endsWith('/*')) return path.slice(0, path.lastIndexOf('/')) === name.slice(0, -2)
  return path === name || path.startsWith(`${name}/`)
}

const modules = modulesIn('src', 'workers')

it('lets no part import what is not its own or below it', () => {
  expect(breachesOf(modules)).toEqual([])
})

it('names no place that is gone', () => {
  expect(Object.keys(MAY_IMPORT).sort()).toEqual(
    [...new Set(modules.map(({ file }) => placeOf(file)))].sort(),
  )
})

it('reads every form of an import', () => {
  const text = `import { readFileSync } from 'node:fs'
import './side-effect.ts'
import Fastify, {
  type FastifyInstance,
} from 'fastify'
import type { Round } from '../core/rounds/round.ts'
import * as board from '@bull-board/api/bullMQAdapter'
export { elect } from './elect.ts'
export * from './all.ts'
export type Log = import('./log.ts').Log
const from = 'from ', said = \`from '\${from}'\`
const late = await import('yaml')
`
  expect(importsOf('src/http/server.ts', text).sort()).toEqual(
    [
      'node:fs',
      'src/http/side-effect.ts',
      'fastify',
      'src/core/rounds/round.ts',
      '@bull-board/api',
      'src/http/elect.ts',
      'src/http/all.ts',
      'src/http/log.ts',
      'yaml',
    ].sort(),
  )
})

const breach = (file: string, ...imports: string[]) => breachesOf([{ file, imports }])

it.each([
  ['src/core/rounds/round.ts', 'src/log.ts'],
  ['src/core/rounds/round.ts', 'node:fs'],
  ['src/core/time/slot.ts', 'src/core/rounds/round.ts'],
  ['src/core/time/slot.ts', 'src/core/expect.ts'],
  ['src/core/rounds/record.ts', 'src/core/schedules/schedule.ts'],
  ['src/core/schedules/tick.ts', 'src/core/alerts/alert.ts'],
  ['src/core/api-key.ts', 'src/core/rounds/round.ts'],
  ['src/service/rounds/elector.ts', 'src/store/records/redis-records.ts'],
  ['src/service/rounds/elector.ts', 'bullmq'],
  ['src/store/records/redis-records.ts', 'src/http/server.ts'],
  ['src/http/server.ts', 'src/redis/connections.ts'],
  ['src/http/server.ts', 'ioredis'],
  ['src/client/client.ts', 'node:fs'],
  ['src/queue/job-worker.ts', 'src/config.ts'],
  ['src/errors.ts', 'src/log.ts'],
  ['workers/webhook.ts', 'src/service/rounds/elector.ts'],
  ['workers/lib/hook.ts', 'bullmq'],
])('says so where %s imports %s', (file, to) => {
  expect(breach(file, to)).toEqual([`${file}: ${placeOf(file)} may not import ${to}`])
})

it.each(['src/extra/thing.ts', 'src/core/extra/thing.ts', 'src/extra.ts', 'workers/extra/thing.ts'])(
  'says so where nobody has said what %s may import',
  (file) => {
    expect(breach(file)).toEqual([`${file}: nothing says what ${placeOf(file)} may import`])
  },
)

it('lets each use its own, and what it was given', () => {
  expect(breach('src/core/alerts/look.ts', 'src/core/alerts/alert.ts', 'src/core/time/slot.ts')).toEqual([])
  expect(breach('src/store/alerts/redis-alerts.ts', 'src/store/records/redis-records.ts', 'ioredis')).toEqual(
    [],
  )
  expect(breach('src/embedded/redis-child.ts', 'node:child_process')).toEqual([])
})
