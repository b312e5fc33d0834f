import type { FastifyRequest } from 'fastify'
import { checkIdentifier } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import { cursor, limit, type Parameter, readQuery, system } from './parameters.ts'

/** What is kept by system and name: schedules and expectations. */
interface Name {
  readonly system: string
  readonly name: string
}

const PAGE_SIZE = 100

const after: Parameter<Name> = {
  ...cursor,
  example: 'Y2xlYW5lciBuaWdodGx5',
  parse: (text, parameter) => {
    try {
      const [system = '', name = ''] = Buffer.from(text, 'base64url')
        .toString()
        .split(' ')
        .map(decodeURIComponent)
      checkIdentifier('system', system)
      checkIdentifier('name', name)
      return { system, name }
    } catch (cause) {
      const shown = JSON.stringify(text.slice(0, 64))
      const rule = `${parameter}: expected the "next" of an earlier page, got ${shown}`
      throw new GoneError('INVALID_PARAMETER', rule, { cause })
    }
  },
}

/** The query of a list by system and name. */
export const NAME_PAGE = { system, limit, cursor: after }

/** What the store is asked for. */
export function readNamePage(request: FastifyRequest) {
  const asked = readQuery(request, NAME_PAGE)
  return {
    limit: asked.limit ?? PAGE_SIZE,
    ...(asked.system !== undefined && { system: asked.system }),
    ...(asked.cursor && { after: asked.cursor }),
  }
}

/** The member that says where to go on; none on the last page. */
export function nextPage(last: Name | undefined): { readonly next?: string } {
  if (last === undefined) return {}
  const text = `${encodeURIComponent(last.system)} ${encodeURIComponent(last.name)}`
  return { next: Buffer.from(text).toString('base64url') }
}
