import { h, type VNode } from '../lib/preact.js'

export type Mark = 'wait' | 'play' | 'warn' | 'tick' | 'cross' | 'copy' | 'dot'

const SHAPES: Readonly<Record<Mark, string>> = {
  wait: 'M8 2.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11',
  play: 'M5 3l8 5-8 5z',
  warn: 'M8 2l6.500 12h-13zM8 6.500v3.500M8 12v.200',
  tick: 'M3 8.500l3.500 3.500L13 5',
  cross: 'M3.500 3.500l9 9M12.500 3.500l-9 9',
  copy: 'M5.500 5.500h7v8h-7zM10.500 5V2.500h-7v8H5',
  dot: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6',
}

/** A shape beside a word: never the only thing that says it. */
export function Icon({ mark }: { readonly mark: Mark }): VNode {
  return (
    <svg class={`icon icon-${mark}`} viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d={SHAPES[mark]} />
    </svg>
  )
}
