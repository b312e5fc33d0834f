declare module 'nspell' {
  /** Of a Hunspell dictionary. */
  export default function nspell(aff: Buffer, dic: Buffer): { correct(word: string): boolean }
}
