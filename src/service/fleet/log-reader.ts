import type { Pokes } from '../../core/fleet/fleet-ports.ts'
import { compareInstances, INSTANCE_STATES, type Instance } from '../../core/fleet/instance.ts'
import {
  HEARD_WITHIN_MS,
  type InstanceLogs,
  LOGS_POKE,
  type LogEntry,
  type LogMark,
} from '../../core/fleet/instance-log.ts'
import { isAtLeast, type LogLevel, levelOf } from '../../core/fleet/log-level.ts'
import { type Selection, selects } from '../../core/fleet/selection.ts'
import { pause } from '../../waiting.ts'
import type { FleetFollower } from './follower.ts'

export interface LogReaderParts {
  readonly follower: Pick<FleetFollower, 'snapshot'>
  readonly logs: Omit<InstanceLogs, 'watched' | 'add'>
  readonly pokes: Pick<Pokes, 'poke'>
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

export interface LogAsked {
  readonly selection: Selection
  /** Only lines that hold this, in whatever case; empty: all. */
  readonly text: string
  /** Only lines as grave as this, or more; missing: all. */
  readonly level?: LogLevel
  /** Up to where was read; missing: from the first line that is kept, of which the last so many are answered. */
  readonly mark: LogMark | undefined
  readonly limit: number
  /** How long to wait for a line. */
  readonly waitMs: number
}

export interface LogLine {
  readonly instance: string
  readonly atMs: number
  readonly isError: boolean
  readonly text: string
}

export interface LogPage {
  readonly lines: readonly LogLine[]
  /** By instance; undefined: nobody knows how many. */
  readonly dropped: ReadonlyMap<string, number | undefined>
  readonly silent: readonly string[]
  readonly unread: number
  readonly leftOut: number
  readonly mark: LogMark
  readonly isReset: boolean
  readonly nowMs: number
}

/** Who has just begun to look waits no longer for those that do not send. */
const FIRST_WITHIN_MS = 3_000
const READ_EVERY_MS = 200
/** New instances are found, and those that are watched stay so. */
const WATCH_EVERY_MS = 3_000
/** Longer than whoever follows takes from one request to the next. */
const WATCH_FOR_MS = 15_000
const MOST_INSTANCES = 250
/** Logs that are read at once: all of them would be 32 MB. */
const AT_ONCE = 8

/** Those of which a log may be shown, and those that send theirs. */
interface Watching {
  readonly ids: ReadonlySet<string>
  readonly sending: readonly string[]
  readonly unread: number
  readonly leftOut: number
  /** By the store's clock. */
  readonly sinceMs: number
}

/** Shows what instances print. They send it only while somebody looks, so a look begins by saying so. */
export class LogReader {
  constructor(private readonly parts: LogReaderParts) {}

  /**
   * The lines since the mark, as soon as there are any; at first all that is kept, once those who have it have sent it.
   *
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  async read(asked: LogAsked, caller: AbortSignal): Promise<LogPage> {
    const { logs, nowMs } = this.parts
    const begunMs = nowMs()
    const isNew = asked.mark === undefined
    let watching = await this.watch(asked.selection, isNew)
    let watchedMs = begunMs
    if (isNew) await this.untilSent(watching, caller)
    const latest = await logs.latest()
    const isReset = asked.mark !== undefined && !isOf(asked.mark, latest)
    const isFirst = isNew || isReset
    let from = isFirst ? 0 : (asked.mark?.number ?? 0)
    for (;;) {
      const found = await this.since(from, watching.ids, asked, isFirst)
      const isOver = nowMs() - begunMs >= asked.waitMs || caller.aborted
      if (isFirst || isOver || found.lines.length > 0 || found.dropped.size > 0)
        return { ...found, ...watching, isReset, silent: await this.silentOf(watching, found.nowMs) }
      from = found.mark.number
      await pause(READ_EVERY_MS, caller)
      if (nowMs() - watchedMs < WATCH_EVERY_MS) continue
      watchedMs = nowMs()
      watching = await this.watch(asked.selection, false)
    }
  }

  /** @param isAsked all that was printed until now is wanted */
  private async watch(selection: Selection, isAsked: boolean): Promise<Watching> {
    const { follower, logs, pokes } = this.parts
    const { instances } = await follower.snapshot()
    // Those too that have ended: their last words are what is looked for.
    const meant = { ...selection, state: selection.state ?? INSTANCE_STATES }
    const found = instances.filter((one) => selects(meant, one)).sort(compareInstances)
    const alive = found.filter(({ end, mode }) => !end && mode !== 'stopped' && mode !== 'crash-looping')
    const supervised = alive.filter(isSupervised)
    const sending = supervised.slice(0, MOST_INSTANCES).map(({ id }) => id)
    const { nowMs, fresh } = await logs.watch(sending, WATCH_FOR_MS)
    // Where it is lost they find out within two seconds.
    if (fresh.length > 0 || (isAsked && sending.length > 0))
      await pokes.poke([LOGS_POKE]).catch(() => undefined)
    return {
      ids: new Set(found.map(({ id }) => id)),
      sending,
      unread: alive.length - supervised.length,
      leftOut: supervised.length - sending.length,
      sinceMs: nowMs,
    }
  }

  private async untilSent({ sending, sinceMs }: Watching, caller: AbortSignal): Promise<void> {
    const { logs, nowMs } = this.parts
    const giveUpMs = nowMs() + FIRST_WITHIN_MS
    while (nowMs() < giveUpMs && !caller.aborted) {
      const heard = await logs.heard(sinceMs)
      if (sending.every((id) => heard.has(id))) return
      await pause(READ_EVERY_MS / 4, caller)
    }
  }

  private async silentOf({ sending }: Watching, nowMs: number): Promise<readonly string[]> {
    if (sending.length === 0) return []
    const heard = await this.parts.logs.heard(nowMs - HEARD_WITHIN_MS)
    return sending.filter((id) => !heard.has(id))
  }

  /** What has come after this entry, of these instances: the last of it where somebody begins to look, else the first. */
  private async since(
    from: number,
    ids: ReadonlySet<string>,
    { limit, ...wanted }: LogAsked,
    isFirst: boolean,
  ): Promise<Pick<LogPage, 'lines' | 'dropped' | 'mark' | 'nowMs'>> {
    const { logs } = this.parts
    const { number: last, epoch, nowMs } = await logs.latest()
    const grown = last > from ? (await logs.grown(from)).filter((id) => ids.has(id)) : []
    const dropped = new Map<string, number | undefined>()
    let kept: readonly Matched[] = []
    let lines: readonly LogLine[] = []
    for (let at = 0; at < grown.length; at += AT_ONCE) {
      const entries = await logs.read(grown.slice(at, at + AT_ONCE), from, last)
      const gaps = isFirst ? new Set<LogEntry>() : gapsIn(entries, from)
      const matched = entries.map((entry) => matchedOf(entry, wanted, gaps.has(entry)))
      if (isFirst) {
        // The last of all, and not of those that were read last.
        lines = byTime([...lines, ...timed(matched)]).slice(-limit)
        noteDropped(dropped, matched)
      } else kept = within(limit, [...kept, ...matched])
    }
    if (!isFirst) {
      lines = byTime(timed(kept))
      noteDropped(dropped, kept)
    }
    const isCut = !isFirst && lines.length >= limit
    return {
      lines,
      dropped,
      mark: { number: isCut ? (kept.at(-1)?.number ?? last) : last, epoch },
      nowMs,
    }
  }
}

/** What of an entry is answered. */
interface Matched {
  readonly instance: string
  readonly number: number
  readonly lines: readonly LogLine[]
  /** Lines before it that were never sent. */
  readonly dropped: number
  /** Entries before it are not kept any more, and were not read. */
  readonly isAfterGap: boolean
}

function isSupervised({ place }: Instance): boolean {
  return place !== undefined
}

function isOf(mark: LogMark, latest: LogMark): boolean {
  return mark.epoch === latest.epoch && mark.number <= latest.number
}

/** The first entry of each log where the one before it was not read, and is not kept any more. */
function gapsIn(entries: readonly LogEntry[], read: number): ReadonlySet<LogEntry> {
  const firsts = new Map<string, LogEntry>()
  for (const entry of entries) if (!firsts.has(entry.instance)) firsts.set(entry.instance, entry)
  return new Set([...firsts.values()].filter(({ before }) => before > read))
}

function matchedOf(
  entry: LogEntry,
  { text, level }: Pick<LogAsked, 'text' | 'level'>,
  isAfterGap: boolean,
): Matched {
  const { instance, number, dropped, lines } = entry
  const wanted = text.toLowerCase()
  const found = lines.filter(
    (line) =>
      line.text.toLowerCase().includes(wanted) && (level === undefined || isAtLeast(levelOf(line), level)),
  )
  return {
    instance,
    number,
    lines: found.map((line) => ({ instance, ...line })),
    dropped,
    isAfterGap,
  }
}

/** Whole entries in their order, until there are as many lines as are wanted. */
function within(limit: number, entries: readonly Matched[]): readonly Matched[] {
  const sorted = entries
    .filter(({ lines, dropped, isAfterGap }) => lines.length > 0 || dropped > 0 || isAfterGap)
    .sort((a, b) => a.number - b.number)
  let count = 0
  return sorted.filter(({ lines }) => {
    const isTaken = count < limit
    count += lines.length
    return isTaken
  })
}

/** Their lines: what an instance has printed keeps its order, however long its way took. */
function timed(entries: readonly Matched[]): readonly LogLine[] {
  const latest = new Map<string, number>()
  return [...entries]
    .sort((a, b) => a.number - b.number)
    .flatMap(({ lines }) =>
      lines.map((line) => {
        const atMs = Math.max(line.atMs, latest.get(line.instance) ?? 0)
        latest.set(line.instance, atMs)
        return { ...line, atMs }
      }),
    )
}

function byTime(lines: readonly LogLine[]): readonly LogLine[] {
  return [...lines].sort((a, b) => a.atMs - b.atMs)
}

function noteDropped(sums: Map<string, number | undefined>, entries: readonly Matched[]): void {
  for (const { instance, dropped, isAfterGap } of entries) {
    const sum = sums.has(instance) ? sums.get(instance) : 0
    if (isAfterGap) sums.set(instance, undefined)
    else if (dropped > 0 && sum !== undefined) sums.set(instance, sum + dropped)
  }
}
