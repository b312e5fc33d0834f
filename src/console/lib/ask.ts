import type { ProblemJson } from '../../core/rounds/round-wire.ts'
import { at } from './base.ts'
import { noteServerTime } from './clock.ts'
import { jsonOf, jsonText } from './json.ts'

/** Why there is no answer; `code` is one of the API's, or `UNREACHABLE`. */
export class Trouble extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    /** How long whoever is refused is told to wait. */
    readonly waitMs = 0,
  ) {
    super(message)
  }

  /** True where it says nothing of what was asked: nobody answers, or not now, or not whoever asks. */
  get isPassing(): boolean {
    return this.code === 'UNREACHABLE' || this.status >= 500 || [401, 429].includes(this.status)
  }
}

export interface Asking {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: unknown
  /** The tag of what was seen: where it was changed since, it is refused. */
  readonly ifMatch?: string
  /** It is refused where there is one already. */
  readonly ifNoneMatch?: '*'
}

/** Redis is given 2 s to answer, and a document a little more. */
const PATIENCE_MS = 15_000

/**
 * What the API says, asked by whoever is logged in.
 *
 * @param path below `/api/v1/`
 * @throws Trouble
 */
export async function ask<T>(path: string, asking: Asking = {}): Promise<T> {
  return (await askTagged<T>(path, asking)).value
}

/** The same with the tag of what can be changed of it. @throws Trouble */
export async function askTagged<T>(
  path: string,
  { method = 'GET', body, ifMatch, ifNoneMatch }: Asking = {},
): Promise<{ readonly value: T; readonly tag: string | undefined }> {
  const headers = {
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(ifMatch !== undefined && { 'if-match': ifMatch }),
    ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
  }
  const sent = {
    method,
    headers,
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...(body !== undefined && { body: jsonText(body) }),
  }
  const answer = await fetch(at(`/console/api/${path}`), sent).catch(() => {
    throw new Trouble('UNREACHABLE', 0, 'the server does not answer')
  })
  const text = await answer.text().catch(() => '')
  if (!answer.ok) throw troubleIn(text, answer)
  const value = text === '' ? undefined : jsonOf(text)
  if (isRecord(value) && typeof value.now === 'string') noteServerTime(value.now)
  return { value: value as T, tag: answer.headers.get('etag') ?? undefined }
}

function troubleIn(text: string, { status, headers }: Response): Trouble {
  try {
    const { code, detail } = JSON.parse(text) as ProblemJson
    return new Trouble(code, status, detail, (Number(headers.get('retry-after')) || 0) * 1_000)
  } catch {
    return new Trouble('UNREACHABLE', status, `something between here and the server answers ${status}`)
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** A path with its query; what is undefined or empty is left out. */
export function pathOf(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(name, String(value))
  const text = search.toString()
  return text === '' ? path : `${path}?${text}`
}
