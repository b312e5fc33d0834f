import type { Command } from 'commander'
import type { FleetSelection } from '../../client/fleet.ts'
import { SELECTION_FIELDS, type SelectionField } from '../../core/fleet/selection.ts'
import { GoneError } from '../../errors.ts'
import { given } from '../ask.ts'

/** Which instances a command is about. */
export interface SelectingOptions {
  readonly worker?: string
  readonly release?: string
  readonly region?: string
  readonly host?: string
  readonly pool?: string
  readonly id?: string
  readonly state?: string
}

/** The filters, the same for every command: a name, `*` for any characters, several separated by commas. */
export function addSelecting(
  command: Command,
  fields: readonly SelectionField[] = SELECTION_FIELDS,
): Command {
  for (const field of fields) {
    const example = field === 'state' ? 'such as registered or lost' : 'names and *, separated by commas'
    command.option(`--${field} <${field}>`, `only those of this ${field}: ${example}`)
  }
  return command
}

export function selectionOf(options: SelectingOptions): FleetSelection {
  const { worker, release, region, host, pool, id, state } = options
  return given({ worker, release, region, host, pool, id, state })
}

/** @throws GoneError where neither a filter nor --all says who is meant, or both do */
export function meantOf(options: SelectingOptions & { readonly all?: boolean }): FleetSelection | 'all' {
  const selection = selectionOf(options)
  const isEmpty = Object.keys(selection).length === 0
  if (isEmpty === (options.all === true)) return isEmpty ? 'all' : selection
  throw new GoneError(
    'EMPTY_SELECTION',
    isEmpty
      ? 'expected a filter such as --worker mailer, or --all for every instance'
      : 'expected either filters or --all, got both',
  )
}
