import { readdir, stat } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import type { WorkerDefinition, WorkerHandler, WorkerOptions } from '../client/define-worker.ts'
import type { Duration } from '../client/duration.ts'
import { type Rule, span, takeJson, whole } from '../core/expect.ts'
import { isWorkerName } from '../core/rounds/job.ts'
import { MAX_DEADLINE_MS } from '../core/rounds/record.ts'
import { formatDuration } from '../core/time/duration.ts'
import { GoneError } from '../errors.ts'
import type { WorkerTerms } from '../queue/job-worker.ts'
import { importWorker } from './import-worker.ts'

export interface LoadedWorker {
  /** The file's name without its extension, and the queue's. */
  readonly name: string
  readonly terms: WorkerTerms
  readonly handler: WorkerHandler<unknown, unknown>
  readonly parseConfig?: (config: unknown) => unknown
  /** Throws why it cannot do its work. */
  readonly ready?: () => Promise<void> | void
}

/** What a folder holds. */
export interface LoadedFolder {
  readonly workers: readonly LoadedWorker[]
  /** Of all else but hidden files each with the reason, such as `lib (a folder)`. */
  readonly leftOut: readonly string[]
}

const EXTENSIONS = ['.js', '.mjs', '.ts']

/**
 * Loads the workers of a folder, each a file, or a link to one, whose default export is a handler or what `defineWorker` made.
 *
 * @param only the names wanted; missing: all
 * @param off why what is named here cannot be served
 * @throws GoneError `CONFIG` naming the file that does not load and why
 */
export async function loadWorkers(
  folder: string,
  only?: readonly string[],
  off: Readonly<Record<string, string>> = {},
): Promise<LoadedFolder> {
  const asked = only?.find((name) => Object.hasOwn(off, name))
  if (asked !== undefined) throw new GoneError('CONFIG', `worker ${asked}: ${off[asked]}`)
  const { wanted, leftOut } = await wantedIn(folder, only, off)
  const workers = await Promise.all(wanted.map((file) => loadWorker(resolve(folder, file))))
  return { workers, leftOut }
}

/**
 * The names of the same workers, of which none is loaded.
 *
 * @throws GoneError `CONFIG` where the folder has none of them
 */
export async function workerNames(
  folder: string,
  only?: readonly string[],
  off: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  return (await wantedIn(folder, only, off)).wanted.map(nameOf)
}

async function wantedIn(
  folder: string,
  only: readonly string[] | undefined,
  off: Readonly<Record<string, string>>,
): Promise<{ readonly wanted: readonly string[]; readonly leftOut: readonly string[] }> {
  const { files, leftOut } = await entriesOf(folder, off)
  const names = files.map(nameOf)
  const unknown = only?.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new GoneError(
      'CONFIG',
      `no worker "${unknown}" in ${folder}: there are ${names.join(', ') || 'none'}`,
    )
  }
  const wanted = files.filter((file) => only === undefined || only.includes(nameOf(file)))
  if (wanted.length === 0)
    throw new GoneError(
      'CONFIG',
      `no workers in ${folder}: expected .js, .mjs or .ts files, got ${leftOut.join(', ') || 'nothing'}`,
    )
  return { wanted, leftOut }
}

async function entriesOf(
  folder: string,
  off: Readonly<Record<string, string>>,
): Promise<{ files: readonly string[]; leftOut: readonly string[] }> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new GoneError('CONFIG', `cannot read the folder of workers ${folder}: ${messageOf(cause)}`, {
      cause,
    })
  })
  const seen = names.filter((name) => !name.startsWith('.')).sort()
  const reasons = await Promise.all(
    seen.map(async (name) => (await whyLeftOut(folder, name)) ?? off[nameOf(name)]),
  )
  const files = seen.filter((_, index) => reasons[index] === undefined)
  const twice = files.find(
    (file, index) => files.findIndex((other) => nameOf(other) === nameOf(file)) !== index,
  )
  if (twice !== undefined)
    throw new GoneError('CONFIG', `two files for the worker "${nameOf(twice)}" in ${folder}`)
  const leftOut = seen.flatMap((name, index) =>
    reasons[index] === undefined ? [] : [`${name} (${reasons[index]})`],
  )
  return { files, leftOut }
}

/** Links are followed: the files of a ConfigMap are some. */
async function whyLeftOut(folder: string, name: string): Promise<string | undefined> {
  const entry = await stat(resolve(folder, name)).catch(() => undefined)
  if (entry === undefined) return 'a link to nothing'
  if (entry.isDirectory()) return 'a folder'
  if (/\.d\.[cm]?ts$/.test(name)) return 'declarations'
  if (!EXTENSIONS.includes(extname(name))) return 'neither .js, .mjs nor .ts'
  return entry.isFile() ? undefined : 'not a file'
}

async function loadWorker(path: string): Promise<LoadedWorker> {
  const name = nameOf(path)
  const fail = (why: string, cause?: unknown) => new GoneError('CONFIG', `worker ${path}: ${why}`, { cause })
  if (!isWorkerName(name))
    throw fail(
      `"${name}" cannot be a queue's name: expected letters, digits, "_", "-" or ".", all else escaped as in "caf%C3%A9", and not one of gone's own`,
    )
  const module = (await importWorker(path).catch((cause: unknown) => {
    throw fail(`does not load: ${messageOf(cause)}`, cause)
  })) as { default?: unknown }
  const definition = definitionOf(module.default)
  if (definition === undefined)
    throw fail('expected its default export to be a function or made by defineWorker')
  const { config, ready } = definition.options
  for (const [option, given] of Object.entries({ config, ready }))
    if (given !== undefined && typeof given !== 'function') throw fail(`${option}: expected a function`)
  const terms = termsOf(definition.options, fail)
  return {
    name,
    terms,
    handler: definition.handler,
    ...(config && { parseConfig: config }),
    ...(ready && { ready }),
  }
}

function definitionOf(exported: unknown): WorkerDefinition | undefined {
  if (typeof exported === 'function')
    return { options: {}, handler: exported as WorkerHandler<unknown, unknown> }
  const { handler, options } = (exported ?? {}) as Partial<WorkerDefinition>
  return typeof handler === 'function' ? { options: options ?? {}, handler } : undefined
}

function termsOf(options: WorkerOptions, fail: (why: string) => GoneError): WorkerTerms {
  const {
    concurrency = 1,
    attempts = 1,
    timeout,
    backoff = { type: 'exponential', delay: '1s' },
    lock = '30s',
  } = options
  const known = ['concurrency', 'attempts', 'timeout', 'backoff', 'lock', 'config', 'ready']
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw fail(`no such option "${unknown}"; there are ${known.join(', ')}`)
  const count = (name: string, value: number, max: number) => takeJson(name, whole(1, max), value, fail)
  const time = (name: string, value: Duration, minMs: number, maxMs?: number) =>
    takeJson(name, timeSpan(minMs, maxMs), value, fail)
  return {
    concurrency: count('concurrency', concurrency, 10_000),
    attempts: count('attempts', attempts, 100),
    backoff: { type: backoff.type, delayMs: time('backoff.delay', backoff.delay, 0, MAX_DEADLINE_MS) },
    ...(timeout !== undefined && { timeoutMs: time('timeout', timeout, 1) }),
    // BullMQ extends it by timers of the platform, which fire at once where a half of it is more than 24.8 days.
    lockMs: time('lock', lock, 1_000, MAX_DEADLINE_MS),
  }
}

/** A number is of ms. */
function timeSpan(minMs: number, maxMs = Number.MAX_SAFE_INTEGER): Rule<number> {
  const bounds =
    maxMs === Number.MAX_SAFE_INTEGER
      ? `of at least ${formatDuration(minMs)}`
      : `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`
  const { fromText } = span(minMs, maxMs)
  return {
    expected: (quoted) => `a duration like ${quoted('30s')} ${bounds}`,
    fromText,
    fromJson: (value) => (typeof value === 'string' ? fromText(value) : whole(minMs, maxMs).fromJson(value)),
  }
}

function nameOf(file: string): string {
  return basename(file, extname(file))
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n')[0] ?? ''
}
