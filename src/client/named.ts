import type { ErrorCode } from '../errors.ts'
import { ask, askAll, type CallOptions } from './ask.ts'
import { outcomeOf } from './outcome.ts'
import { segmentOf } from './segment.ts'
import type { Reply, TransportOptions } from './transport.ts'

/** What a server keeps by system and name. */
interface Kind {
  /** Its path, and the member of a page that has them. */
  readonly plural: 'schedules' | 'expectations'
  /** A member that each of them has for sure. */
  readonly member: string
  /** Says that there is none. */
  readonly none: ErrorCode
}

/** Calls about what is kept by system and name; all are safe to repeat. */
export function namedOn<Json, ListedJson>(transport: TransportOptions, { plural, member, none }: Kind) {
  const pathOf = (system: string, name: string) =>
    `/api/v1/${plural}/${segmentOf('system', system)}/${segmentOf('name', name)}`
  return {
    pathOf,
    async put(system: string, name: string, body: object, { signal }: CallOptions = {}) {
      const path = pathOf(system, name)
      const question = { method: 'PUT', path, body, accepts: [200, 201], answers: member, signal } as const
      const { status, json } = await ask(transport, question)
      return { isNew: status === 201, json: json as Json }
    },
    async get(system: string, name: string, { signal }: CallOptions = {}) {
      const question = { path: pathOf(system, name), answers: member, signal }
      const noJson = outcomeOf<Pick<Reply, 'json'>>({ [none]: () => ({ json: undefined }) })
      return (await ask(transport, question).catch(noJson)).json as Json | undefined
    },
    async list({ system, signal }: CallOptions & { readonly system?: string } = {}) {
      return askAll<ListedJson>(transport, {
        path: `/api/v1/${plural}`,
        query: { system },
        answers: plural,
        signal,
      })
    },
    async remove(system: string, name: string, { signal }: CallOptions = {}) {
      const path = pathOf(system, name)
      const question = { method: 'DELETE', path, accepts: [204], answers: member, signal } as const
      const wasNone = outcomeOf<Pick<Reply, 'status'>>({ [none]: () => ({ status: 404 }) })
      return (await ask(transport, question).catch(wasNone)).status === 204
    },
  }
}
