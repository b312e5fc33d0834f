import type { Trouble } from '../lib/ask.ts'
import { at } from '../lib/base.ts'
import { troubleOfPage } from '../lib/follow.ts'
import { type ComponentChildren, h, type VNode } from '../lib/preact.js'
import { Command } from './name.tsx'

/** Where there is nothing: what it would be, and what to do first. */
export function Empty({
  children,
  command,
}: {
  readonly children: ComponentChildren
  readonly command?: string
}): VNode {
  return (
    <div class="empty">
      <p>{children}</p>
      {command !== undefined && <Command text={command} />}
    </div>
  )
}

/** Where there is no answer yet: why it is refused; what else keeps it away is said above the page, and nobody is busy with it. */
export function Waiting({ trouble }: { readonly trouble: Trouble | undefined }): VNode {
  if (trouble && !trouble.isPassing) return <Empty>Not shown: {trouble.message}.</Empty>
  if (troubleOfPage()) return <Empty>No answer yet.</Empty>
  return (
    <div class="empty waiting" aria-busy="true">
      <p>Asking…</p>
    </div>
  )
}

/** What a server's own command is told, to reach this one. */
export function serverUrl(): string {
  return location.origin + at('')
}
