import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'

const PROXIES = {
  nginx: (folder: string, text: string) => ({
    file: 'nginx.conf',
    text: `worker_processes 1; pid ${folder}/pid; error_log stderr;
events {} http { access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
${text}}`,
    args: ['-p', folder, '-c', `${folder}/nginx.conf`, '-g', 'daemon off;'],
  }),
  caddy: (folder: string, text: string) => ({
    file: 'Caddyfile',
    text: `{\n admin off\n auto_https off\n storage file_system ${folder}\n}\n${text}`,
    args: ['run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'],
  }),
  haproxy: (folder: string, text: string) => ({
    file: 'haproxy.cfg',
    text,
    args: ['-db', '-f', `${folder}/haproxy.cfg`],
  }),
}
export type ProxyName = keyof typeof PROXIES

const running: { child: ChildProcess; folder: string }[] = []

/**
 * A real proxy, as its distribution ships it, until `stopProxies`; where it listens.
 *
 * @param configure its configuration, for the port that it is to listen on
 */
export async function startProxy(name: ProxyName, configure: (port: number) => string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `gone-${name}-`))
  await chmod(folder, 0o755)
  const port = await freePort()
  const { file, text, args } = PROXIES[name](folder, configure(port))
  await writeFile(join(folder, file), text)
  const child = spawn(name, args, {
    env: { ...process.env, HOME: folder, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk
  })
  child.once('error', (error) => {
    said += `${error.message}: install ${name}, as .ci/run does`
  })
  running.push({ child, folder })
  const url = `http://127.0.0.1:${port}`
  await vi.waitFor(
    async () => {
      await once(createConnection(port), 'connect').catch(() => {
        throw new Error(`${name} does not listen: ${said}`)
      })
    },
    { timeout: 30_000, interval: 100 },
  )
  return url
}

function createConnection(port: number) {
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => socket.destroy())
  return socket
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Ends all that this file has started. */
export async function stopProxies(): Promise<void> {
  for (const { child, folder } of running.splice(0)) {
    if (child.exitCode === null && child.pid !== undefined) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await rm(folder, { recursive: true, force: true })
  }
}
