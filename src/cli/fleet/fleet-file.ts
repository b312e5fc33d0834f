import { isMap, isScalar, LineCounter, type Pair, parseDocument } from 'yaml'
import type { PoolSpec } from '../../core/fleet/pool.ts'
import { poolName, readPool } from '../../core/fleet/pool-body.ts'
import { type PoolSpecJson, specJson } from '../../core/fleet/pool-wire.ts'
import { GoneError } from '../../errors.ts'

/** A pool that a file wants. */
export interface WantedPool {
  readonly name: string
  readonly spec: PoolSpecJson
}

const MEMBERS = ['instances', 'workers', 'region', 'host', 'release']

/**
 * Reads YAML (or JSON) of `{pools: {name: pool}}`.
 *
 * @param file what it is called in messages
 * @throws GoneError `CONFIG` with the file, the line and the pool of the first mistake
 */
export function readFleetFile(file: string, text: string): readonly WantedPool[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false })
  const mistake = (offset: number, message: string) =>
    new GoneError('CONFIG', `${file}:${Math.max(1, lines.linePos(offset).line)}: ${message}`)
  const [error] = document.errors
  if (error) throw mistake(error.pos[0], `not YAML: ${error.message}`)
  const top = isMap(document.contents) ? document.contents.items : []
  for (const { key } of top)
    if (nameOf(key) !== 'pools' && !nameOf(key).startsWith('x-'))
      throw mistake(offsetOf(key), `"${nameOf(key)}": expected "pools" or a name from "x-"`)
  const pools = top.find(({ key }) => nameOf(key) === 'pools')?.value
  if (!isMap(pools)) throw mistake(0, 'pools: expected a map of pools, got none')
  return (pools.items as readonly Pair[]).map(({ key, value }) => {
    const name = nameOf(key)
    try {
      return { name: poolName(name), spec: specJson(specIn(isMap(value) ? value.toJS(document) : value)) }
    } catch (cause) {
      throw mistake(offsetOf(key), `${name}: ${(cause as Error).message}`)
    }
  })
}

function specIn(body: unknown): PoolSpec {
  if (typeof body !== 'object' || body === null || isScalar(body))
    throw new GoneError('CONFIG', `expected a map of ${MEMBERS.join(', ')}`)
  const unknown = Object.keys(body).find((member) => !MEMBERS.includes(member))
  if (unknown !== undefined)
    throw new GoneError('CONFIG', `"${unknown}": no such member; a pool takes: ${MEMBERS.join(', ')}`)
  return readPool(body as Readonly<Record<string, unknown>>).spec
}

function nameOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : ''
}

function offsetOf(node: unknown): number {
  return (node as { range?: readonly number[] } | null)?.range?.[0] ?? 0
}
