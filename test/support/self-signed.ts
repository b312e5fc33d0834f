import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder with the certificate and key of `localhost`: `gone.crt`, `gone.key`, and both in `gone.pem`. */
export async function selfSigned(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gone-tls-'))
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost'
  const [crt, key] = [join(folder, 'gone.crt'), join(folder, 'gone.key')]
  execFileSync('openssl', [...words.split(' '), '-keyout', key, '-out', crt], { stdio: 'ignore' })
  await writeFile(join(folder, 'gone.pem'), (await readFile(crt, 'utf8')) + (await readFile(key, 'utf8')))
  return folder
}

export interface SecureCall {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Asks `https://localhost` on this port, whose certificate is that of the folder. */
export async function askSecurely(
  folder: string,
  port: string,
  { method, path, headers = {}, body = '' }: SecureCall,
): Promise<{ readonly status: number; readonly cookie: string }> {
  const ca = await readFile(join(folder, 'gone.crt'))
  return new Promise((resolve, reject) => {
    const call = request({ host: 'localhost', port, path, method, headers, ca, family: 4 }, (answer) => {
      answer.resume()
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, cookie: String(answer.headers['set-cookie'] ?? '') }),
      )
    })
    call.once('error', reject)
    call.end(body)
  })
}
