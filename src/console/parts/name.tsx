import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import { draw } from '../lib/draw.ts'
import { Fragment, h, type VNode } from '../lib/preact.js'
import { Icon } from './icons.tsx'

let copied: string | undefined

/** Puts a text into the clipboard, over plain HTTP too. */
export async function copy(text: string, into: Element = document.body): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const box = document.createElement('textarea')
    box.value = text
    box.className = 'unseen'
    into.append(box)
    box.select()
    document.execCommand('copy')
    box.remove()
  }
  copied = text
  draw()
  setTimeout(() => {
    if (copied === text) copied = undefined
    draw()
  }, 2_000)
}

/** A button that copies a name or a command. */
export function Copy({ text, what }: { readonly text: string; readonly what: string }): VNode {
  const isCopied = copied === text
  const onClick = ({ currentTarget }: MouseEvent) =>
    void copy(text, (currentTarget as Element).closest('dialog') ?? document.body)
  return (
    <button
      type="button"
      class="copy"
      aria-label={isCopied ? 'copied' : `Copy ${what}`}
      title={isCopied ? 'copied' : `Copy ${what}`}
      onClick={onClick}
    >
      <Icon mark={isCopied ? 'tick' : 'copy'} />
    </button>
  )
}

/** What a page is of, to copy. */
export function Named({ text, what }: { readonly text: string; readonly what: string }): VNode {
  return (
    <>
      <h1 class="mono" data-name>
        {text}
      </h1>
      <Copy text={text} what={what} />
    </>
  )
}

/** A command to paste into a shell. */
export function Command({ text }: { readonly text: string }): VNode {
  return (
    <div class="command">
      <code>{text}</code>
      <Copy text={text} what="the command" />
    </div>
  )
}

export function workerPath(worker: string): string {
  return `/fleet/workers/${encodeURIComponent(worker)}`
}

export function poolPath(name: string): string {
  return `/fleet/pools/${encodeURIComponent(name)}`
}

/** What an alert is about: a worker or an instance of the fleet, else a schedule, whose page leads to the expectation of that name. */
export function alertPath({ kind, system, name }: Pick<AlertJson, 'kind' | 'system' | 'name'>): string {
  switch (kind) {
    case 'no-worker':
      return workerPath(name)
    case 'stuck':
    case 'unresponsive':
      return `/fleet/instances/${encodeURIComponent(name)}`
    case 'crash-loop':
      return '/fleet'
    default:
      return schedulePath({ system, name })
  }
}

/** As a shell takes it. */
export function quoted(text: string): string {
  return /^[\w@+.:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

export function roundPath({ system, round }: { readonly system: string; readonly round: string }): string {
  return `/rounds/${encodeURIComponent(system)}/${encodeURIComponent(round)}`
}

export function schedulePath({ system, name }: { readonly system: string; readonly name: string }): string {
  return `/schedules/${encodeURIComponent(system)}/${encodeURIComponent(name)}`
}

/** A round or a schedule by its whole name, which leads to its page. */
export function Name({ href, text }: { readonly href: string; readonly text: string }): VNode {
  return (
    <a class="name" href={href} title={text}>
      {text}
    </a>
  )
}
