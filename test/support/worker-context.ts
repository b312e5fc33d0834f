import type { WorkerContext, WorkerHandler } from '../../src/index.ts'

/** A handler's context made by hand, with what was written to its log. */
export interface TestContext extends WorkerContext {
  readonly lines: string[]
}

export function workerContext(over: Partial<WorkerContext> = {}): TestContext {
  const lines: string[] = []
  return {
    config: undefined,
    call: async () => {
      throw new Error('no call is expected')
    },
    callOnce: async () => {
      throw new Error('no call is expected')
    },
    system: 'reports',
    round: '2026-11-22',
    fence: 7,
    attempt: 1,
    signal: new AbortController().signal,
    log: async (line) => void lines.push(line),
    progress: async () => undefined,
    ...over,
    lines,
  }
}

/** Runs a handler once; what comes from outside has no type. */
export async function runHandler<Data, Result>(
  handler: WorkerHandler<Data, Result>,
  data: unknown,
  context: WorkerContext = workerContext(),
): Promise<Result> {
  return handler({ id: `${context.system}~${context.round}`, data: data as Data }, context)
}

/** The error that the work ends with. */
export async function failureOf(work: Promise<unknown>): Promise<Error> {
  const end = await work.then(
    (result) => ({ result }),
    (error: Error) => ({ error }),
  )
  if ('error' in end) return end.error
  throw new Error(`expected a failure, got ${JSON.stringify(end.result)}`)
}
