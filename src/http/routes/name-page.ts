import { checkIdentifier } from '../../core/rounds/round.ts'
import { GoneError } from '../../errors.ts'
import { cursor, limit, system, type Values } from '../parameters.ts'

/** What is kept by system and name: schedules and expectations. */
interface Name {
  readonly system: string
  readonly name: string
}

const PAGE_SIZE = 100

/** The query of a list by system and name. */
export const NAME_PAGE = { system, limit, cursor: { ...cursor, example: 'Y2xlYW5lciBuaWdodGx5' } }

/** What the store is asked for. */
export function namePage(asked: Values<typeof NAME_PAGE>) {
  return {
    limit: asked.limit ?? PAGE_SIZE,
    ...(asked.system !== undefined && { system: asked.system }),
    ...(asked.cursor !== undefined && { after: nameIn(asked.cursor, asked.system) }),
  }
}

/** @param ofSystem the only system that is listed: the cursor of another would go on with that one's */
function nameIn(text: string, ofSystem: string | undefined): Name {
  try {
    const parts = Buffer.from(text, 'base64url').toString().split(' ')
    const [system = '', name = ''] = parts.map(decodeURIComponent)
    checkIdentifier('system', system)
    checkIdentifier('name', name)
    if (parts.length === 2 && system === (ofSystem ?? system)) return { system, name }
  } catch {
    // Said below.
  }
  const shown = JSON.stringify(text.slice(0, 64))
  throw new GoneError('INVALID_PARAMETER', `cursor: expected the "next" of an earlier page, got ${shown}`)
}

/** The member that says where to go on; none on the last page. */
export function nextPage(last: Name | undefined): { readonly next?: string } {
  if (last === undefined) return {}
  const text = `${encodeURIComponent(last.system)} ${encodeURIComponent(last.name)}`
  return { next: Buffer.from(text).toString('base64url') }
}
