import { askTagged, type Trouble } from './ask.ts'
import { draw } from './draw.ts'

/** What pages are about, as the stream of changes names it. */
export type Topic = 'rounds' | 'alerts' | 'schedules' | 'fleet'

/** An answer that is asked for again when what it is about has changed. What was answered last stays while nobody answers. */
export interface Source<T> {
  readonly data: T | undefined
  readonly trouble: Trouble | undefined
  /** When it was answered last, by this computer's clock. */
  readonly atMs: number | undefined
  again(): Promise<void>
}

interface Options<T> {
  /** Called with each answer, before it is drawn. */
  readonly onData?: (data: T, tag: string | undefined) => void
}

const sources = new Set<{ readonly topics: readonly Topic[]; readonly source: Source<unknown> }>()

/** @param path below `/api/v1/`; a function where that changes while the page is open; undefined: nothing to ask yet */
export function follow<T>(
  path: string | (() => string | undefined),
  topics: readonly Topic[],
  { onData }: Options<T> = {},
): Source<T> {
  let asking: Promise<void> | undefined
  let isStale = false
  const source = {
    data: undefined as T | undefined,
    trouble: undefined as Trouble | undefined,
    atMs: undefined as number | undefined,
    /** One request at a time: whoever asks meanwhile is told by the next. */
    again(): Promise<void> {
      isStale = asking !== undefined
      asking ??= once().finally(() => {
        asking = undefined
        if (isStale) void source.again()
      })
      return asking
    },
  }
  async function once(): Promise<void> {
    const to = typeof path === 'string' ? path : path()
    if (to === undefined) return
    try {
      const { value, tag } = await askTagged<T>(to)
      source.data = value
      source.trouble = undefined
      source.atMs = Date.now()
      onData?.(value, tag)
    } catch (error) {
      source.trouble = error as Trouble
      // What is refused, as what is not there any more, is not to be seen any more; what nobody answers for is.
      if (!source.trouble.isPassing) source.data = undefined
    }
    draw()
  }
  sources.add({ topics, source })
  void source.again()
  return source
}

/** Asks again for what is about one of these; without topics for all there is. */
export function askAgain(changed?: readonly Topic[]): void {
  for (const { topics, source } of sources) {
    if (changed === undefined || topics.some((topic) => changed.includes(topic))) void source.again()
  }
}

/** What keeps the page from being new: not that one thing it shows is not there, or refused. */
export function troubleOfPage():
  | { readonly trouble: Trouble; readonly atMs: number | undefined }
  | undefined {
  for (const { source } of sources) {
    const { trouble, atMs } = source
    if (trouble?.isPassing) return { trouble, atMs }
  }
  return undefined
}
