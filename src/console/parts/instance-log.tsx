import type { LogLevel } from '../../core/fleet/log-level.ts'
import type { FleetLogJson, LogLineJson } from '../../core/fleet/log-wire.ts'
import { ask, pathOf, type Trouble } from '../lib/ask.ts'
import { zone } from '../lib/choices.ts'
import { serverNowMs } from '../lib/clock.ts'
import { draw } from '../lib/draw.ts'
import { often } from '../lib/often.ts'
import { h, type VNode } from '../lib/preact.js'
import { moment } from '../lib/times.ts'
import { Empty, Waiting } from './empty.tsx'
import { Text } from './json.tsx'
import { Panel } from './panel.tsx'

const MOST_LINES = 1_000
const LEVELS: readonly (readonly [LogLevel, string])[] = [
  ['debug', 'debug and up'],
  ['info', 'info and up'],
  ['warn', 'warn and up'],
  ['error', 'error and up'],
]

/** What an instance prints, as it comes. */
export interface InstanceLog {
  /** Missing: not answered yet. */
  lines: readonly LogLineJson[] | undefined
  /** Where to read on. */
  at: string | undefined
  /** Only lines that hold it. */
  text: string
  /** Only lines as grave as this, or more; empty: all. */
  level: string
  isFollowing: boolean
  /** Lines that were left out since the page was opened; the rest of their number is not known. */
  dropped: number
  isSilent: boolean
  trouble: Trouble | undefined
  search(text: string, level: string): void
}

/** @param isRead whether there is a supervisor that reads it */
export function followInstanceLog(id: string, isRead: () => boolean): InstanceLog {
  let asking = 0
  const log: InstanceLog = {
    lines: undefined,
    at: undefined,
    text: '',
    level: '',
    isFollowing: true,
    dropped: 0,
    isSilent: false,
    trouble: undefined,
    search(text, level) {
      Object.assign(log, { text, level, at: undefined, lines: undefined, dropped: 0 })
      draw()
      void read()
    },
  }
  async function read(): Promise<void> {
    asking += 1
    const nth = asking
    const query = { id, text: log.text, level: log.level, after: log.at, limit: MOST_LINES }
    try {
      const page = await ask<FleetLogJson>(pathOf('fleet/log', query))
      // Another text was asked for meanwhile.
      if (nth === asking) take(log, page)
    } catch (error) {
      log.trouble = error as Trouble
    }
    draw()
  }
  often(() => isRead() && (log.isFollowing || log.lines === undefined), read)
  return log
}

function take(log: InstanceLog, { lines, at, dropped, silent, reset }: FleetLogJson): void {
  log.lines = [...((!reset && log.lines) || []), ...lines].slice(-MOST_LINES)
  log.at = at
  log.dropped += dropped.reduce((sum, one) => sum + (one.lines ?? 1), 0)
  log.isSilent = silent.length > 0
  log.trouble = undefined
}

export function LogPanel({ log, isRead }: { readonly log: InstanceLog; readonly isRead: boolean }): VNode {
  if (!isRead)
    return (
      <Panel title="Log">
        <Empty>It runs without a supervisor: what it prints is where it was started.</Empty>
      </Panel>
    )
  return (
    <Panel title="Log" more={<span class="quiet">{wordsOf(log)}</span>}>
      <div class="body">{searchOf(log)}</div>
      {bodyOf(log)}
    </Panel>
  )
}

function searchOf(log: InstanceLog): VNode {
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    log.search(String(data.get('text') ?? '').trim(), String(data.get('level') ?? ''))
  }
  const onClick = () => {
    log.isFollowing = !log.isFollowing
    draw()
  }
  return (
    <search class="filters">
      <form onSubmit={onSubmit}>
        <label htmlFor="log-text">
          Text
          <input name="text" id="log-text" maxLength={128} autocomplete="off" spellcheck={false} />
        </label>
        <label htmlFor="log-level">
          Level
          <select name="level" id="log-level">
            <option value="">any</option>
            {LEVELS.map(([level, words]) => (
              <option key={level} value={level} selected={level === log.level}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button type="submit">Find</button>
        <button type="button" onClick={onClick}>
          {log.isFollowing ? 'Stop following' : 'Follow'}
        </button>
      </form>
    </search>
  )
}

function bodyOf({ lines, text, level, trouble }: InstanceLog): VNode {
  if (lines === undefined)
    return trouble ? <Empty>It cannot be seen now.</Empty> : <Waiting trouble={undefined} />
  if (lines.length === 0)
    return (
      <Empty>
        {text === '' && level === ''
          ? 'It has printed nothing yet.'
          : 'None of its lines that are kept is like that.'}
      </Empty>
    )
  const [place, nowMs] = [zone(), serverNowMs()]
  const shown = lines.map(
    ({ at, error, text }) => `${moment(Date.parse(at), place, nowMs)} ${error ? '! ' : ''}${text}`,
  )
  return <Text text={shown.reverse().join('\n')} what="the log" />
}

function wordsOf({ lines, dropped, isSilent, trouble }: InstanceLog): string {
  if (trouble) return 'not answered; asked again'
  if (isSilent) return 'its supervisor has sent nothing for 5 s'
  if (lines === undefined) return ''
  const shown = `${lines.length} ${lines.length === 1 ? 'line' : 'lines'}, newest first`
  return dropped === 0 ? shown : `${shown}; at least ${dropped} left out: it prints more than is kept`
}
