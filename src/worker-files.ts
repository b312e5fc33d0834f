import { readdir } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { WorkerDefinition, WorkerHandler, WorkerOptions } from './client/define-worker.ts'
import type { Duration } from './client/duration.ts'
import { parseDuration } from './core/duration.ts'
import { isWorkerName } from './core/job.ts'
import { GoneError } from './errors.ts'
import type { WorkerTerms } from './queue/job-worker.ts'

export interface LoadedWorker {
  /** The file's name without its extension, and the queue's. */
  readonly name: string
  readonly terms: WorkerTerms
  readonly handler: WorkerHandler<unknown, unknown>
}

const EXTENSIONS = ['.js', '.mjs', '.ts']

/**
 * Loads the workers of a folder, each a file whose default export is a handler or what `defineWorker` made.
 *
 * @param only the names wanted; missing: all
 * @throws GoneError `CONFIG` naming the file that does not load and why
 */
export async function loadWorkers(
  folder: string,
  only?: readonly string[],
): Promise<readonly LoadedWorker[]> {
  const files = await workerFiles(folder)
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
    throw new GoneError('CONFIG', `no workers in ${folder}: expected .js, .mjs or .ts files`)
  return Promise.all(wanted.map((file) => loadWorker(resolve(folder, file))))
}

async function workerFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new GoneError('CONFIG', `cannot read the folder of workers ${folder}: ${messageOf(cause)}`, {
      cause,
    })
  })
  const files = entries
    .filter(
      (entry) => entry.isFile() && EXTENSIONS.includes(extname(entry.name)) && !entry.name.endsWith('.d.ts'),
    )
    .map((entry) => entry.name)
    .sort()
  const twice = files.find(
    (file, index) => files.findIndex((other) => nameOf(other) === nameOf(file)) !== index,
  )
  if (twice !== undefined)
    throw new GoneError('CONFIG', `two files for the worker "${nameOf(twice)}" in ${folder}`)
  return files
}

async function loadWorker(path: string): Promise<LoadedWorker> {
  const name = nameOf(path)
  const fail = (why: string, cause?: unknown) => new GoneError('CONFIG', `worker ${path}: ${why}`, { cause })
  if (!isWorkerName(name)) throw fail(`"${name}" cannot be a queue's name`)
  const module = (await import(pathToFileURL(path).href).catch((cause: unknown) => {
    throw fail(`does not load: ${messageOf(cause)}`, cause)
  })) as { default?: unknown }
  const definition = definitionOf(module.default)
  if (definition === undefined)
    throw fail('expected its default export to be a function or made by defineWorker')
  return { name, terms: termsOf(definition.options, fail), handler: definition.handler }
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
  const known = ['concurrency', 'attempts', 'timeout', 'backoff', 'lock']
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw fail(`no such option "${unknown}"; there are ${known.join(', ')}`)
  const whole = (name: string, value: number, max: number) => {
    if (Number.isInteger(value) && value >= 1 && value <= max) return value
    throw fail(`${name}: expected an integer from 1 to ${max}, got ${JSON.stringify(value)}`)
  }
  const span = (name: string, value: Duration, minMs: number) => {
    const ms = typeof value === 'number' ? value : parseDuration(value)
    if (ms !== undefined && Number.isInteger(ms) && ms >= minMs) return ms
    throw fail(
      `${name}: expected a duration like "30s" of at least ${minMs} ms, got ${JSON.stringify(value)}`,
    )
  }
  return {
    concurrency: whole('concurrency', concurrency, 10_000),
    attempts: whole('attempts', attempts, 100),
    backoff: { type: backoff.type, delayMs: span('backoff.delay', backoff.delay, 0) },
    ...(timeout !== undefined && { timeoutMs: span('timeout', timeout, 1) }),
    lockMs: span('lock', lock, 1_000),
  }
}

function nameOf(file: string): string {
  return basename(file, extname(file))
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n')[0] ?? ''
}
