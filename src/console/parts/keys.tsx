import { at } from '../lib/base.ts'
import { chosen } from '../lib/choices.ts'
import { draw } from '../lib/draw.ts'
import { askAgain } from '../lib/follow.ts'
import { hold, isHolding } from '../lib/live.ts'
import { h, type VNode } from '../lib/preact.js'
import { copy } from './name.tsx'

const PAGES: Readonly<Record<string, readonly [string, string]>> = {
  n: ['/', 'Now'],
  r: ['/rounds', 'Rounds'],
  s: ['/schedules', 'Schedules'],
  a: ['/alerts', 'Alerts'],
  f: ['/fleet', 'Fleet'],
  q: ['/board', 'Queues'],
  k: ['/keys', 'Keys'],
}

/** Keys, and what each does. */
const HELP: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['?', 'this list'],
  ['j k', 'next and previous row; Enter opens it'],
  ['c', 'copy the name of the row, or of the page'],
  ['.', 'show what is new'],
  ['[ ]', 'newer and older'],
  ['p', 'hold everything as it is, and let it go'],
  ['r', 'ask anew'],
  ['u', 'times in UTC, and back'],
  ...Object.entries(PAGES).map(([key, [, name]]) => [`g ${key}`, name] as const),
  ['Esc', 'close'],
]

let goesAtMs = 0

/** @param others what a key does besides, such as to change the zone */
export function listenForKeys(others: Readonly<Record<string, () => void>>): void {
  document.addEventListener('keydown', (event) => {
    if (!chosen().hasKeys || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    if (document.querySelector('dialog[open]')) return
    const isGoing = Date.now() - goesAtMs < 1_500
    goesAtMs = event.key === 'g' ? Date.now() : 0
    const act =
      (isGoing && PAGES[event.key] && (() => location.assign(at(PAGES[event.key]?.[0] ?? '/')))) ||
      ACTS[event.key] ||
      others[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  })
}

const ACTS: Readonly<Record<string, () => void>> = {
  '/': () => document.querySelector<HTMLInputElement>('[data-search]')?.focus(),
  '?': () => keyList()?.showModal(),
  j: () => step(1),
  k: () => step(-1),
  c: () => {
    const name = (
      document.activeElement?.closest('tr')?.querySelector('.name') ?? document.querySelector('[data-name]')
    )?.textContent
    if (name) void copy(name.trim())
  },
  '.': () => document.querySelector<HTMLButtonElement>('.pill')?.click(),
  '[': () => document.querySelector<HTMLAnchorElement>('a[rel=first]')?.click(),
  ']': () => document.querySelector<HTMLAnchorElement>('a[rel=next]')?.click(),
  p: () => hold(!isHolding()),
  r: () => askAgain(),
}

function step(by: number): void {
  const names = [...document.querySelectorAll<HTMLAnchorElement>('main td .name')]
  const at = names.indexOf(document.activeElement as HTMLAnchorElement)
  const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), names.length - 1)
  names[next]?.focus()
  draw()
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  )
}

function keyList(): HTMLDialogElement | null {
  return document.querySelector('#keys')
}

export function KeyList(): VNode {
  return (
    <dialog id="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl class="keys">
        {HELP.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  )
}
