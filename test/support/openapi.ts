import { send } from './requests.ts'

/** What OpenAPI says of a server, with every reference replaced by what it refers to. */
export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

export interface Operation {
  readonly operationId: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required: boolean
    readonly example?: string | number
    readonly schema?: object
  }[]
  readonly requestBody?: {
    readonly required: boolean
    readonly content: { readonly 'application/json': { readonly schema: Schema } }
  }
  readonly responses: Readonly<Record<string, unknown>>
}

interface Schema {
  readonly properties?: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>
}

/** @param key of whoever may read all systems, where keys are in use */
export async function readOpenApi(url: string, key?: string): Promise<OpenApi> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const answer = await send(url, { path: '/docs/json', headers })
  if (answer.status !== 200) throw new Error(`no OpenAPI at ${url}: ${answer.status}`)
  const document = JSON.parse(answer.text)
  return dereferenced(document, document) as OpenApi
}

export function bodyMembersOf({ requestBody }: Operation): NonNullable<Schema['properties']> {
  return requestBody?.content['application/json'].schema.properties ?? {}
}

function dereferenced(node: unknown, document: object): unknown {
  if (Array.isArray(node)) return node.map((item) => dereferenced(item, document))
  if (typeof node !== 'object' || node === null) return node
  if ('$ref' in node && typeof node.$ref === 'string')
    return dereferenced(target(node.$ref, document), document)
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => [name, dereferenced(value, document)]),
  )
}

function target(reference: string, document: object): unknown {
  let node: unknown = document
  for (const part of reference.split('/').slice(1)) node = (node as Record<string, unknown>)[part]
  if (node === undefined) throw new Error(`refers to nothing: ${reference}`)
  return node
}
