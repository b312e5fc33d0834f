import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { ROOT } from '../support/snippets.ts'

const run = promisify(execFile)

/** What came of a statement. */
export interface Done {
  readonly rows: readonly unknown[][]
  /** How many rows it has found, changed or not. */
  readonly count: number
}

/** One connection, whose statements are run one after another. */
export interface Session {
  run(statement: string): Promise<Done>
}

/** A real server of its own, at a socket in a folder of its own. */
export interface Database {
  open(): Session
  /** Ends it and its sessions, and removes its folder. */
  stop(): Promise<void>
}

interface Program {
  /** The start of the folder's name: a socket's path must be short. */
  readonly name: string
  /** Who may run it, where this is root: PostgreSQL does not run as that. */
  readonly user: string
  readonly make: (folder: string) => readonly string[]
  readonly serve: (folder: string) => readonly string[]
  readonly where: (folder: string) => readonly [string, string]
  readonly stopBy: NodeJS.Signals
}

const READY_WITHIN_MS = 60_000

export async function startPostgres(): Promise<Database> {
  const [version = ''] = (await readdir('/usr/lib/postgresql')).sort((a, b) => Number(b) - Number(a))
  const bin = (name: string) => `/usr/lib/postgresql/${version}/bin/${name}`
  return start({
    name: 'gone-pg-',
    user: 'postgres',
    make: (folder) => [bin('initdb'), '-D', join(folder, 'data'), '-U', 'gone', '-A', 'trust', '--no-sync'],
    serve: (folder) => [bin('postgres'), '-D', join(folder, 'data'), '-k', folder, '-c', 'listen_addresses='],
    where: (folder) => [`pgsql:host=${folder};dbname=postgres`, 'gone'],
    stopBy: 'SIGINT',
  })
}

/** MySQL as Debian has it. */
export function startMariadb(): Promise<Database> {
  const own = (folder: string) => ['--no-defaults', `--datadir=${join(folder, 'data')}`]
  return start({
    name: 'gone-my-',
    user: 'mysql',
    make: (folder) => ['mariadb-install-db', ...own(folder), '--auth-root-authentication-method=normal'],
    serve: (folder) => [
      'mariadbd',
      ...own(folder),
      `--socket=${join(folder, 'my.sock')}`,
      '--skip-networking',
    ],
    where: (folder) => [`mysql:unix_socket=${join(folder, 'my.sock')};dbname=mysql`, 'root'],
    stopBy: 'SIGTERM',
  })
}

async function start({ name, user, make, serve, where, stopBy }: Program): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), name))
  const as = process.getuid?.() === 0 ? await idsOf(user) : undefined
  if (as) await chown(folder, as.uid, as.gid)
  const PATH = `${process.env.PATH}:/usr/sbin`
  const own = { cwd: folder, env: { PATH, HOME: folder, LC_ALL: 'C.UTF-8' }, ...as }
  const [maker = '', ...making] = make(folder)
  await run(maker, making, own)
  const [program = '', ...serving] = serve(folder)
  const server = spawn(program, serving, { ...own, stdio: 'ignore' })
  const sessions = new Set<ChildProcess>()
  const end = () => server.kill('SIGKILL')
  process.once('exit', end)
  const open = () => openSession(where(folder), sessions)
  const database: Database = {
    open,
    async stop() {
      for (const session of sessions) session.kill('SIGKILL')
      if (server.exitCode === null && server.signalCode === null) {
        server.kill(stopBy)
        await once(server, 'exit')
      }
      process.off('exit', end)
      await rm(folder, { recursive: true, force: true })
    },
  }
  await answers(open, server).catch(async (error: unknown) => {
    await database.stop()
    throw error
  })
  return database
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (which) => (await run('id', [which, user])).stdout),
  )
  return { uid: Number(uid), gid: Number(gid) }
}

/** Its socket is there before it answers. */
async function answers(open: () => Session, server: ChildProcess): Promise<void> {
  const untilMs = performance.now() + READY_WITHIN_MS
  for (;;) {
    try {
      await open().run('SELECT 1')
      return
    } catch (error) {
      if (performance.now() > untilMs || server.exitCode !== null) throw error
    }
  }
}

function openSession(where: readonly [string, string], sessions: Set<ChildProcess>): Session {
  const child = spawn('php', [join(ROOT, 'test/clients/session.php'), ...where], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  sessions.add(child)
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  child.stdin.on('error', () => {})
  const lines = createInterface(child.stdout)
  const waiting: { resolve: (done: Done) => void; reject: (error: Error) => void }[] = []
  lines.on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)))
  child.once('close', () => {
    sessions.delete(child)
    for (const { reject } of waiting.splice(0)) reject(new Error(complaint))
  })
  return {
    run: (statement) =>
      new Promise((resolve, reject) => {
        if (child.exitCode !== null) reject(new Error(complaint))
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify(statement)}\n`)
      }),
  }
}
