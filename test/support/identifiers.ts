import fc from 'fast-check'

/** Names that keep the rules of DESIGN section 5, the odd ones often: escapes, separators of ours, BullMQ's words. */
export const anyIdentifier = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom('a', 'A', '0', '%', '~', ':', '{', '}', '*', '.', '7', 'E', 'é'),
      minLength: 1,
      maxLength: 12,
    }),
    fc.constantFrom(
      '__proto__',
      'constructor',
      'wait',
      'completed',
      'meta',
      'events',
      '0',
      '123',
      '-',
      '%7E',
      '%257E',
      '~',
    ),
  )
  .map((name) => name.normalize('NFC').replace(/[/\p{Cc}\p{Cf}\p{Z}]/gu, ''))
  .filter((name) => name.isWellFormed() && !/^\.{0,2}$/.test(name) && Buffer.byteLength(name) <= 128)
