import type { FleetChange } from '../../core/fleet/fleet-ports.ts'
import { type FleetEventJson, instanceJson } from '../../core/fleet/fleet-wire.ts'
import { SELECTION_FIELDS, type Selection, selects } from '../../core/fleet/selection.ts'
import { GoneError } from '../../errors.ts'
import type { FleetMark } from '../../service/fleet/follower.ts'
import { anyText, parameter } from '../parameters.ts'

const MARK = /^([A-Za-z0-9_-]{1,32})\.(\d{1,16})$/

/** The parameters by which instances are selected. */
export const SELECTING = Object.fromEntries(
  SELECTION_FIELDS.map((field) => [
    field,
    parameter(
      `Only those of this ${field}: names and * , separated by commas.`,
      field === 'state' ? 'registered' : 'mail*',
      anyText,
    ),
  ]),
) as Record<(typeof SELECTION_FIELDS)[number], ReturnType<typeof parameter<string>>>

/** An instance that is not selected any more is told without more. */
export function eventJson({ id, instance }: FleetChange, selection: Selection): FleetEventJson {
  return { id, ...(instance && selects(selection, instance) && { instance: instanceJson(instance) }) }
}

/** Of each change as it is to whoever has it selected: those who listen together are told the same. */
const texts = new WeakMap<FleetChange, string>()

/** The same as text. */
export function eventText(change: FleetChange, selection: Selection): string {
  if (!change.instance || !selects(selection, change.instance)) return JSON.stringify({ id: change.id })
  const known = texts.get(change) ?? JSON.stringify(eventJson(change, selection))
  texts.set(change, known)
  return known
}

export function textOf({ epoch, change }: FleetMark): string {
  return `${epoch}.${change}`
}

/** @throws GoneError `INVALID_PARAMETER` */
export function markIn(text: string): FleetMark {
  const [, epoch, change] = MARK.exec(text) ?? []
  if (epoch !== undefined) return { epoch, change: Number(change) }
  throw new GoneError(
    'INVALID_PARAMETER',
    `after: expected the "at" of an earlier answer, got ${JSON.stringify(text.slice(0, 64))}`,
  )
}
