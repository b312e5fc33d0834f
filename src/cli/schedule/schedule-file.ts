import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml'
import { inexact, isKept } from '../../core/exact-json.ts'
import { checkIdentifier } from '../../core/rounds/round.ts'
import { scheduleId } from '../../core/schedules/schedule.ts'
import { readScheduleBody } from '../../core/schedules/schedule-body.ts'
import { type FullScheduleBody, fullBody, type ScheduleBody } from '../../core/schedules/schedule-wire.ts'
import { GoneError } from '../../errors.ts'

/** The schedules that a file wants, in its order. */
export interface ScheduleFile {
  /** All that it names, also those without schedules. */
  readonly systems: readonly string[]
  readonly schedules: readonly WantedSchedule[]
}

export interface WantedSchedule {
  readonly system: string
  readonly name: string
  /** As the file has it. */
  readonly body: ScheduleBody
  /** As the server will write it, if it is of our version. */
  readonly full: FullScheduleBody
  /** Such as `schedules.yaml:7`: the line of a member like `job.attempts`, or of the schedule if it has no line. */
  where(member: string): string
}

/**
 * Reads YAML (or JSON) documents of `{system, schedules: {name: schedule}}`.
 *
 * @param file what it is called in messages
 * @throws GoneError `CONFIG` with the file, the line and the field of the first mistake
 */
export function readScheduleFile(file: string, text: string): ScheduleFile {
  const lines = new LineCounter()
  const reader = new Reader(file, text, lines)
  const documents = parseAllDocuments(text, { lineCounter: lines, merge: true, prettyErrors: false })
  const all = ('empty' in documents ? [] : documents).filter((document) => !isBlank(document))
  if (all.length === 0) throw reader.mistake(0, 'expected "system" and "schedules", got nothing')
  return reader.read(all)
}

function isBlank({ contents, errors }: Document): boolean {
  return errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))
}

type MapPair = Pair<unknown, unknown>

class Reader {
  private readonly systems = new Map<string, number>()
  private readonly schedules: WantedSchedule[] = []

  constructor(
    private readonly file: string,
    private readonly text: string,
    private readonly lines: LineCounter,
  ) {}

  read(documents: readonly Document[]): ScheduleFile {
    for (const document of documents) this.readDocument(document)
    return { systems: [...this.systems.keys()], schedules: this.schedules }
  }

  mistake(offset: number, message: string): GoneError {
    return new GoneError('CONFIG', `${this.place(offset)}: ${message}`)
  }

  private readDocument(document: Document): void {
    const [error] = document.errors
    if (error) throw this.mistake(error.pos[0], `not YAML: ${this.advice(error.pos[0], error.message)}`)
    this.checkNumbers(document)
    const parts = this.pairsOf(document.contents, '', offsetOf(document.contents))
    for (const [name, pair] of parts) {
      if (name !== 'system' && name !== 'schedules' && !name.startsWith('x-'))
        throw this.mistake(
          offsetOf(pair.key),
          `"${name}": expected "system", "schedules" or a name from "x-"`,
        )
    }
    const start = offsetOf(document.contents)
    const [systemPair, schedulesPair] = [parts.get('system'), parts.get('schedules')]
    if (!systemPair) throw this.mistake(start, 'system: expected a name, got nothing')
    if (!schedulesPair) throw this.mistake(start, 'schedules: expected a map of schedules, got nothing')
    const system = this.systemOf(systemPair)
    const schedules = this.pairsOf(schedulesPair.value, 'schedules: ', offsetOf(schedulesPair.key))
    for (const [name, pair] of schedules) this.schedules.push(this.scheduleOf(document, system, name, pair))
  }

  /** Wherever they stand: an alias may lead to any of them. */
  private checkNumbers(document: Document): void {
    visit(document, {
      Scalar: (_, scalar) => {
        const loss = numberLoss(scalar)
        if (loss !== undefined) throw this.mistake(offsetOf(scalar), loss)
      },
    })
  }

  private systemOf({ key, value }: MapPair): string {
    const system = isScalar(value) ? value.value : undefined
    const offset = offsetOf(key)
    if (typeof system !== 'string')
      throw this.mistake(offset, `system: expected a name, got ${shown(system)}`)
    try {
      checkIdentifier('system', system)
    } catch (cause) {
      throw this.mistake(offset, (cause as GoneError).message)
    }
    const earlier = this.systems.get(system)
    if (earlier !== undefined)
      throw this.mistake(offset, `system: "${system}" has its schedules in line ${this.lineOf(earlier)}`)
    this.systems.set(system, offset)
    return system
  }

  private scheduleOf(document: Document, system: string, name: string, pair: MapPair): WantedSchedule {
    const start = offsetOf(pair.key)
    const title = `${system}/${name}: `
    const node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value
    this.pairsOf(node, title, start)
    const body = this.plain(node as YAMLMap, document, title)
    const where = (member: string) => this.place(offsetOfMember(pair, member.split('.')) ?? start)
    try {
      scheduleId(system, name)
      return { system, name, body, full: fullBody(readScheduleBody(body, system)), where }
    } catch (cause) {
      if (!(cause instanceof GoneError)) throw cause
      throw inFile({ system, name, where }, cause)
    }
  }

  private plain(node: YAMLMap, document: Document, title: string): ScheduleBody {
    try {
      return node.toJS(document) as ScheduleBody
    } catch (cause) {
      // Of an alias whose anchor is missing or comes later.
      throw this.mistake(offsetOf(node), `${title}${(cause as Error).message}`)
    }
  }

  private pairsOf(node: unknown, title: string, offset: number): Map<string, MapPair> {
    if (!isMap(node)) throw this.mistake(offset, `${title}expected a map, got ${shownNode(node)}`)
    return new Map(node.items.map((pair) => [String(scalarOf(pair.key)), pair as MapPair]))
  }

  private place(offset: number): string {
    return `${this.file}:${this.lineOf(offset)}`
  }

  private lineOf(offset: number): number {
    return Math.max(1, this.lines.linePos(offset).line)
  }

  /** With the line as it is. A cron that begins with `*` is the mistake that everybody makes once. */
  private advice(offset: number, message: string): string {
    const line = this.text.split('\n')[this.lineOf(offset) - 1]?.trim() ?? ''
    const hint = /:\s+\*/.test(line) ? '; a value that begins with "*" needs quotes' : ''
    return `${message}, in ${shown(line)}${hint}`
  }
}

/** Why JSON has no such number, if it is one. YAML has more of them, and more ways to write them. */
function numberLoss({ value, source = '' }: Scalar): string | undefined {
  if (typeof value !== 'number') return undefined
  const decimal = source
    .replace(/^\+/, '')
    .replace(/^(-?)\./, '$10.')
    .replace(/\.(?=$|e)/i, '')
  const isSame = /^0[xo]/i.test(source) ? Number.isSafeInteger(value) : isKept(decimal)
  return Number.isFinite(value) && isSame ? undefined : `${inexact(source)}, in quotes`
}

/** What is wrong with a schedule, with its line in the file. Messages begin with the member that they are about. */
export function inFile(
  wanted: Pick<WantedSchedule, 'system' | 'name' | 'where'>,
  error: GoneError,
): GoneError {
  const { system, name, where } = wanted
  const member = /^"?([A-Za-z.]+)"?:/.exec(error.message)?.[1] ?? ''
  const code = error.code.startsWith('INVALID') ? 'CONFIG' : error.code
  return new GoneError(code, `${where(member)}: ${system}/${name}: ${error.message}`, { cause: error })
}

function offsetOfMember(pair: MapPair, path: readonly string[]): number | undefined {
  const [name, ...rest] = path
  if (name === undefined) return offsetOf(pair.key)
  if (!isMap(pair.value)) return undefined
  const inner = pair.value.items.find(({ key }) => String(scalarOf(key)) === name)
  return inner && (offsetOfMember(inner, rest) ?? offsetOf(inner.key))
}

function offsetOf(node: unknown): number {
  return (node as { range?: readonly number[] } | null)?.range?.[0] ?? 0
}

function scalarOf(node: unknown): unknown {
  return isScalar(node) ? node.value : null
}

function shownNode(node: unknown): string {
  return isSeq(node) ? 'a list' : shown(scalarOf(node))
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 64 ? `${text.slice(0, 64)}…` : text
}
