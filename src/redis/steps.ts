import { readFileSync } from 'node:fs'
import type { RedisClient } from './connections.ts'

export type Argument = string | number
type Step = (...keysAndArguments: Argument[]) => Promise<unknown[]>
export type Steps<Name extends string> = Readonly<Record<Name, Step>>

interface Scripts<Name extends string> {
  /** The module whose folder the scripts are in: `import.meta.url`. */
  readonly beside: string
  /** What all of them share, a file of that folder, prepended to each. */
  readonly prelude?: string
  /** A file each, without `.lua`. */
  readonly names: readonly Name[]
  /** Begins the commands' names, which one client may have of several folders. */
  readonly prefix: string
  /** Missing where each call says it, as its first argument. */
  readonly keyCount?: number
}

/** Scripts of a folder as one text. @param beside a module of that folder: `import.meta.url` */
export function luaOf(beside: string, ...names: readonly string[]): string {
  return names.map((name) => readFileSync(new URL(`./${name}.lua`, beside), 'utf8')).join('')
}

/** Lua scripts as functions, which send a script's text only to a server that does not know it. */
export function defineSteps<Name extends string>(redis: RedisClient, scripts: Scripts<Name>): Steps<Name> {
  const { beside, prelude, names, prefix, keyCount: numberOfKeys } = scripts
  const shared = prelude === undefined ? '' : luaOf(beside, prelude)
  for (const name of names)
    redis.defineCommand(`${prefix}_${name}`, {
      ...(numberOfKeys !== undefined && { numberOfKeys }),
      lua: shared + luaOf(beside, name),
    })
  // defineCommand adds methods that the client's type cannot know.
  const defined = redis as unknown as Record<string, Step>
  return Object.fromEntries(
    names.map((name) => [
      name,
      (...all: Argument[]) => (defined[`${prefix}_${name}`] as Step).apply(redis, all),
    ]),
  ) as Record<Name, Step>
}
