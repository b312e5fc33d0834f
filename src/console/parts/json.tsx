import { h, type VNode } from '../lib/preact.js'
import { jsonText } from '../lib/save.ts'
import { Copy } from './name.tsx'

/** Any JSON, to read and to copy. */
export function Json({ value, what }: { readonly value: unknown; readonly what: string }): VNode {
  return <Text text={exact(value)} what={what} />
}

/** A long text, to read and to copy. */
export function Text({ text, what }: { readonly text: string; readonly what: string }): VNode {
  return (
    <div class="json">
      <Copy text={text} what={what} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section tabIndex={0} aria-label={what}>
        <pre>{text}</pre>
      </section>
    </div>
  )
}

/** Numbers beyond JavaScript's were kept apart, and are written without quotes here. */
function exact(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  return jsonText(value)
}
