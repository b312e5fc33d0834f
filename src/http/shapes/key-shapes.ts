import { ACTIONS, type KeyJson } from '../../core/api-key.ts'
import { about, choice, instant, listOf, objectOf, optional, text } from '../../core/shape.ts'

interface KeyListJson {
  readonly keys: readonly KeyJson[]
}

export const KEY_LIST = objectOf<KeyListJson>('KeyList', {
  keys: listOf(
    objectOf<KeyJson>('Key', {
      id: about('The 12 digits after gone_.', text(), '5f2c9a01b7de'),
      name: text(),
      actions: listOf(choice(ACTIONS)),
      systems: listOf(text()),
      workers: listOf(text()),
      createdAt: instant(),
      expiresAt: optional(instant()),
      lastUsedAt: optional(about('At whichever server, told once a minute; missing: never yet.', instant())),
    }),
  ),
})
