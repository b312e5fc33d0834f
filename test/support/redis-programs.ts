import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { defaultCacheDir, findRedisServer } from '../../src/embedded/redis-server.ts'
import { ROOT } from './snippets.ts'

/** As much of redis-cli as the docs use: not every machine has one. */
const CLI = `import { Redis } from 'ioredis'
const words = process.argv.slice(2).filter((word) => word !== '--raw')
const url = words.indexOf('-u')
const [, where] = url < 0 ? [] : words.splice(url, 2)
const client = new Redis(where ?? 'redis://127.0.0.1:6379', { retryStrategy: () => null, lazyConnect: true })
client.on('error', () => {})
try {
  await client.connect()
  console.log([await client.call(...words)].flat().join('\\n'))
} catch (error) {
  console.error(String(error))
  process.exitCode = words[0] === 'SHUTDOWN' ? 0 : 1
}
client.disconnect()
`

/** `redis-server` and `redis-cli` in a folder of PATH. */
export interface RedisPrograms {
  /** What they need besides. */
  readonly env: Readonly<Record<string, string>>
  remove(): Promise<void>
}

/** Puts both into the folder, the server as it was found or fetched. */
export async function putRedisIn(folder: string): Promise<RedisPrograms> {
  const { path, env } = await findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: () => {},
  })
  const isHere = (process.env.PATH ?? '').split(delimiter).some((each) => existsSync(join(each, 'redis-cli')))
  // It imports what is installed here.
  const cli = join(ROOT, '.built', `redis-cli-${process.pid}.mjs`)
  await writeFile(cli, CLI)
  const lines = {
    'redis-server': `exec '${path}' "$@"`,
    'redis-cli': `exec '${process.execPath}' '${cli}' "$@"`,
  }
  for (const [name, line] of Object.entries(lines).filter(([name]) => name !== 'redis-cli' || !isHere))
    await writeFile(join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  return { env, remove: () => rm(cli, { force: true }) }
}
