import { draw } from './draw.ts'

/** Something that was done here, or did not go. */
export interface Told {
  readonly text: string
  readonly href?: string
  readonly undo?: { readonly word: string; readonly act: () => void }
}

const MAX_TOLD = 3

let said: readonly Told[] = []

export function tell(told: Told): void {
  said = [told, ...said].slice(0, MAX_TOLD)
  draw()
}

export function told(): readonly Told[] {
  return said
}

export function forget(one: Told): void {
  said = said.filter((other) => other !== one)
  draw()
}
