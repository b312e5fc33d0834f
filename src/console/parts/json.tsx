import { jsonText } from '../lib/json.ts'
import { h, type VNode } from '../lib/preact.js'
import { Copy } from './name.tsx'

/** Any JSON, to read and to copy. */
export function Json({ value, what }: { readonly value: unknown; readonly what: string }): VNode {
  return <Text text={jsonText(value, 2)} what={what} />
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
