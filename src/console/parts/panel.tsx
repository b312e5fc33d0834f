import { type ComponentChildren, h, type VNode } from '../lib/preact.js'

interface PanelProps {
  readonly title: string
  readonly more?: ComponentChildren
  readonly children: ComponentChildren
}

export function Panel({ title, more, children }: PanelProps): VNode {
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {more}
      </header>
      {children}
    </section>
  )
}

/** What there is, as a number that leads to its list. */
export function Figure({ href, count, of, what, note, tone = '' }: FigureProps): VNode {
  return (
    <a class={`figure ${tone}`} href={href}>
      <span class="count">
        {count}
        {of !== undefined && <small> of {of}</small>}
      </span>
      <span>{what}</span>
      <span class="quiet">{note}</span>
    </a>
  )
}

interface FigureProps {
  readonly href: string
  readonly count: ComponentChildren
  readonly of?: ComponentChildren
  readonly what: string
  readonly note?: ComponentChildren
  readonly tone?: string
}
