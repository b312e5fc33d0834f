import { GoneError } from '../../errors.ts'
import { covers } from '../api-key.ts'
import { INSTANCE_STATES, type Instance, isOver, poolOf, stateOf } from './instance.ts'

/** What instances can be selected by. */
export const SELECTION_FIELDS = ['worker', 'release', 'region', 'host', 'pool', 'id', 'state'] as const
export type SelectionField = (typeof SELECTION_FIELDS)[number]

/** Patterns a field, of which one must fit: `*` stands for any characters. A field that is missing fits all. */
export type Selection = Readonly<Partial<Record<SelectionField, readonly string[]>>>

/** A list this long is a mistake, and would be looked through for each instance. */
const MAX_PATTERNS = 100
const PATTERN = /^[^,\p{Cc}\p{Cf}\p{Z}]{1,128}$/u

/**
 * The selection that these texts say, each a list separated by commas: `{ worker: 'mail*,report', state: 'registered' }`.
 *
 * @throws GoneError `INVALID_PARAMETER` for a field or a state that there is not, and for an empty pattern: a typo never selects
 */
export function readSelection(given: Readonly<Record<string, string | undefined>>): Selection {
  const selection: Partial<Record<SelectionField, readonly string[]>> = {}
  for (const [name, text] of Object.entries(given)) {
    if (text === undefined) continue
    const field = SELECTION_FIELDS.find((known) => known === name)
    if (field === undefined)
      throw new GoneError(
        'INVALID_PARAMETER',
        `${name}: instances are selected by ${SELECTION_FIELDS.join(', ')}`,
      )
    selection[field] = readPatterns(field, text)
  }
  return selection
}

function readPatterns(field: SelectionField, text: string): readonly string[] {
  const patterns = [...new Set(text.split(',').map((part) => part.trim()))]
  const wrong = patterns.find((pattern) => !PATTERN.test(pattern))
  if (wrong !== undefined)
    throw new GoneError(
      'INVALID_PARAMETER',
      `${field}: expected names such as mailer or mail-*, separated by commas, got ${JSON.stringify(text.slice(0, 64))}`,
    )
  if (patterns.length > MAX_PATTERNS)
    throw new GoneError(
      'INVALID_PARAMETER',
      `${field}: expected at most ${MAX_PATTERNS} names, got ${patterns.length}`,
    )
  const unknown = field === 'state' ? patterns.find((pattern) => !isState(pattern)) : undefined
  if (unknown !== undefined)
    throw new GoneError(
      'INVALID_PARAMETER',
      `state: expected some of ${INSTANCE_STATES.join(', ')}, got ${JSON.stringify(unknown.slice(0, 64))}`,
    )
  return patterns
}

function isState(text: string): boolean {
  return INSTANCE_STATES.some((state) => state === text)
}

/** True if it says nothing, and so would be all. */
export function isEmpty(selection: Selection): boolean {
  return Object.keys(selection).length === 0
}

/** Where no state is asked for, instances that are no more are not selected. */
export function selects(selection: Selection, instance: Instance): boolean {
  const state = stateOf(instance)
  if (selection.state === undefined && isOver(state)) return false
  return SELECTION_FIELDS.every((field) => {
    const patterns = selection[field]
    if (patterns === undefined) return true
    return valuesOf(field, instance, state).some((value) =>
      patterns.some((pattern) => covers(pattern, value)),
    )
  })
}

function valuesOf(field: SelectionField, instance: Instance, state: string): readonly string[] {
  switch (field) {
    case 'worker':
      return instance.workers.map(({ name }) => name)
    case 'state':
      return [state]
    case 'pool': {
      const pool = poolOf(instance)
      return pool === undefined ? [] : [pool]
    }
    default:
      return [instance[field]]
  }
}

/** The selection as it is typed: `--worker mailer --region eu`. */
export function selectionText(selection: Selection): string {
  const parts = SELECTION_FIELDS.flatMap((field) => {
    const patterns = selection[field]
    return patterns === undefined ? [] : [`--${field} ${patterns.join(',')}`]
  })
  return parts.length === 0 ? '--all' : parts.join(' ')
}
