import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RedisServerBinary } from '../src/embedded/redis-server.ts'

/** A disk of a few MB for a Redis: a tmpfs in a mount namespace of its own, which ends with the harness. */
export interface SmallDisk {
  /** Where Redis has its data. Outside of the namespace this folder is empty. */
  readonly dir: string
  /** The same folder as this process reaches it. */
  readonly seenAt: string
  /** The server, started within the namespace. */
  startedOn(binary: RedisServerBinary): Promise<RedisServerBinary>
  /** Leaves no byte free. */
  fill(): Promise<void>
  makeRoom(): Promise<void>
  stop(): Promise<void>
}

/** What makes a mount namespace, and what enters it: with the rights of root, else in a user namespace. */
const WAYS = [
  { make: ['--mount'], enter: ['--mount'] },
  {
    make: ['--user', '--map-root-user', '--mount'],
    enter: ['--user', '--preserve-credentials', '--mount'],
  },
] as const

/** Mounts it, and holds the namespace until our end of the pipe closes: Redis may be killed and started again in it. */
const HOLD = 'mount -t tmpfs -o size="$1",mode=700 gone-chaos "$2" && echo mounted && exec cat'
const CHUNK_BYTES = 65_536
const PAGE_BYTES = 4_096

/** @returns undefined where this machine does not let us make a namespace with a mount of its own */
export async function mountSmallDisk(folder: string, megabytes: number): Promise<SmallDisk | undefined> {
  const dir = join(folder, 'disk')
  await mkdir(dir)
  for (const { make, enter } of WAYS) {
    const holder = await hold([...make, 'sh', '-c', HOLD, 'hold', `${megabytes}m`, dir])
    if (holder) return smallDisk(dir, folder, holder, enter)
  }
  return undefined
}

function smallDisk(dir: string, folder: string, holder: ChildProcess, enter: readonly string[]): SmallDisk {
  const seenAt = `/proc/${holder.pid}/root${dir}`
  const ballast = join(seenAt, 'ballast')
  return {
    dir,
    seenAt,
    async startedOn(binary) {
      const path = join(folder, 'redis-on-small-disk')
      await writeFile(
        path,
        `#!/bin/sh\nexec nsenter --target ${holder.pid} ${enter.join(' ')} '${binary.path}' "$@"\n`,
      )
      await chmod(path, 0o755)
      return { ...binary, path }
    },
    fill: () => fill(ballast),
    makeRoom: () => rm(ballast, { force: true }),
    async stop() {
      if (holder.exitCode !== null || holder.signalCode !== null) return
      const ended = once(holder, 'exit')
      holder.stdin?.end()
      await ended
    },
  }
}

async function hold(args: readonly string[]): Promise<ChildProcess | undefined> {
  const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true })
  holder.stdin?.on('error', () => undefined)
  const isMounted = new Promise<boolean>((resolve) => {
    holder.stdout?.once('data', () => resolve(true))
    holder.once('error', () => resolve(false))
    holder.once('exit', () => resolve(false))
  })
  return (await isMounted) ? holder : undefined
}

/** In large pieces, then in pages: whatever grows by a page finds none. */
async function fill(ballast: string): Promise<void> {
  const file = await open(ballast, 'a')
  try {
    for (const bytes of [CHUNK_BYTES, PAGE_BYTES]) {
      const piece = Buffer.alloc(bytes)
      while (await isWritten(file.write(piece), bytes));
    }
  } finally {
    await file.close()
  }
}

async function isWritten(
  writing: Promise<{ readonly bytesWritten: number }>,
  bytes: number,
): Promise<boolean> {
  try {
    return (await writing).bytesWritten === bytes
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}
