import { about, objectOf, optional } from '../core/shape.ts'
import { GoneError } from '../errors.ts'
import { type Body, bodyOf } from './endpoint.ts'
import type { Parameter } from './parameters.ts'

/** A body with the reason, which may come as a query parameter too. */
export function reasonBody<Id>(
  name: string,
  { about: what, schema, example }: Parameter<string>,
): Body<Id, unknown> {
  const shape = objectOf<{ reason?: string }>(name, { reason: optional(about(what, { schema }, example)) })
  return bodyOf(shape, (body) => body.reason)
}

/**
 * The reason that a request gives in one of both, or in both alike.
 *
 * @throws GoneError `INVALID_BODY` or `INVALID_PARAMETER`
 */
export function saidReason(
  { body: said, query }: { readonly body: unknown; readonly query: { readonly reason?: string } },
  parameter: Parameter<string>,
): string | undefined {
  if (said === undefined) return query.reason
  if (typeof said !== 'string') throw new GoneError('INVALID_BODY', 'reason: expected a text')
  if (query.reason !== undefined && said !== query.reason)
    throw new GoneError('INVALID_PARAMETER', 'reason: body and query parameter differ')
  return parameter.parse(said, 'reason')
}
