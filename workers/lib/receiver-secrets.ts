import { matches, parseHostPatterns } from './destination.ts'

/** A secret that only the receivers behind one host pattern share with us: one of them cannot sign for another. */
export interface ReceiverSecret {
  readonly pattern: string
  readonly secret: string
}

/** What is wrong with an entry, without its secret. */
export interface WrongEntry {
  readonly host: string
}

/** Of a list such as `api.example.com=secret,*.example.org=another`, or the first entry that is none. */
export function parseReceiverSecrets(list: string): readonly ReceiverSecret[] | WrongEntry {
  const secrets: ReceiverSecret[] = []
  for (const entry of list.split(/[,\n]/)) {
    if (!entry.trim()) continue
    const at = entry.indexOf('=')
    const [pattern] = (at > 0 && parseHostPatterns(entry.slice(0, at))) || []
    const secret = entry.slice(at + 1).trim()
    if (pattern === undefined || secret === '') return { host: at > 0 ? entry.slice(0, at).trim() : '***' }
    secrets.push({ pattern, secret })
  }
  return secrets
}

/** The secret of the host's own pattern, or of the first that covers it. */
export function secretFor(hostname: string, secrets: readonly ReceiverSecret[] = []): string | undefined {
  const own = secrets.find(({ pattern }) => pattern === hostname)
  return (own ?? secrets.find(({ pattern }) => matches(pattern, hostname)))?.secret
}
