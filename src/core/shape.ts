import { DURATION_PATTERN } from './time/duration.ts'

/** A schema in the words of JSON Schema 2020-12, as OpenAPI 3.1 takes it. One with a `title` is written once, under that name. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** JSON as its schema describes it, held by the compiler against the type that the code has of it. */
export interface Shape<T> {
  readonly schema: JsonSchema
  /** Never there: only the type is. */
  readonly type?: T
}

export interface OptionalShape<T> extends Shape<T> {
  readonly isOptional: true
}

type Shapes<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalShape<Exclude<T[K], undefined>>
    : Shape<T[K]>
}

/** An object whose members are exactly those of `T`: one that the type has not, or has otherwise, does not compile. */
export function objectOf<T extends object>(title: string, shapes: Shapes<T>): Shape<T> {
  const all = Object.entries<Shape<unknown>>(shapes)
  const required = all.filter(([, shape]) => !('isOptional' in shape)).map(([name]) => name)
  return {
    schema: {
      title,
      type: 'object',
      properties: Object.fromEntries(all.map(([name, { schema }]) => [name, schema])),
      ...(required.length > 0 && { required }),
    },
  }
}

export function listOf<T>({ schema }: Shape<T>): Shape<readonly T[]> {
  return { schema: { type: 'array', items: schema } }
}

export function nullOr<T>({ schema }: Shape<T>): Shape<T | null> {
  return { schema: { anyOf: [schema, { type: 'null' }] } }
}

export function anyOf<A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> {
  return { schema: { anyOf: [one.schema, other.schema] } }
}

export function optional<T>({ schema }: Shape<T>): OptionalShape<T> {
  return { schema, isOptional: true }
}

/** The same with words for people, and an example. */
export function about<T>(description: string, { schema }: Shape<T>, example?: NoInfer<T>): Shape<T> {
  const words = { description, ...(example !== undefined && { examples: [example] }) }
  // The words are for this one place, a titled schema for all.
  return { schema: schema.title === undefined ? { ...schema, ...words } : { ...words, allOf: [schema] } }
}

export function text(more: JsonSchema = {}): Shape<string> {
  return { schema: { type: 'string', ...more } }
}

export function choice<T extends string>(choices: readonly T[]): Shape<T> {
  return { schema: { type: 'string', enum: choices } }
}

export function integer(minimum = 0, maximum?: number): Shape<number> {
  return { schema: { type: 'integer', minimum, ...(maximum !== undefined && { maximum }) } }
}

export function truth(): Shape<boolean> {
  return { schema: { type: 'boolean' } }
}

/** A time with its zone. */
export function instant(): Shape<string> {
  return text({ format: 'date-time' })
}

/** A time span, written like `30s`. */
export function duration(): Shape<string> {
  return text({ pattern: DURATION_PATTERN })
}

export function anything(): Shape<unknown> {
  return { schema: {} }
}
