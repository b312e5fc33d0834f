import pc from 'picocolors'
import { visible } from './core/printable.ts'

const LEVELS: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}
/** What is the same in each line of a process. */
const CONSTANT = ['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err']

/** Makes of a line of the log, which is JSON, one for people: time, level, words, and what else is known of it. */
export function logText(hasColors: boolean): (line: string) => string {
  const colors = pc.createColors(hasColors)
  const paint: Readonly<Record<string, (text: string) => string>> = {
    warn: colors.yellow,
    error: colors.red,
    fatal: colors.red,
    debug: colors.dim,
  }
  return (line) => {
    const fields = JSON.parse(line) as Record<string, unknown>
    const level = LEVELS[Number(fields.level)] ?? 'info'
    const label = (paint[level] ?? String)(level.padEnd(5))
    const rest = Object.entries(fields).filter(([name]) => !CONSTANT.includes(name))
    const about = rest.map(([name, value]) => `${name}=${shown(value)}`).join(' ')
    const words = [timeOf(Number(fields.time)), label, visible(String(fields.msg ?? ''))]
    return `${words.join(' ')}${about && `  ${colors.dim(about)}`}\n${stackOf(fields.err)}`
  }
}

function timeOf(ms: number): string {
  const at = new Date(ms)
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(',')
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return visible(typeof value === 'string' && /[\s,"]/.test(text) ? JSON.stringify(text) : text)
}

function stackOf(error: unknown): string {
  const { stack, message } = (error ?? {}) as { stack?: unknown; message?: unknown }
  const text = stack ?? message
  if (text === undefined) return ''
  return String(text)
    .split('\n')
    .map((part) => `    ${visible(part.trim())}\n`)
    .join('')
}
