import { shownPath } from '../lib/base.ts'
import { choose, chosen, ownZone, zone } from '../lib/choices.ts'
import { draw } from '../lib/draw.ts'
import type { Source } from '../lib/follow.ts'
import { hold, liveness } from '../lib/live.ts'
import type { Me } from '../lib/me.ts'
import type { OpenAlerts } from '../lib/page.ts'
import { type ComponentChildren, h, type VNode } from '../lib/preact.js'
import { QuestionDialog } from './dialog.tsx'
import { KeyList } from './keys.tsx'
import { Notices } from './notices.tsx'
import { ToldList } from './told.tsx'

const LINKS = [
  ['/', 'Now'],
  ['/rounds', 'Rounds'],
  ['/schedules', 'Schedules'],
  ['/alerts', 'Alerts'],
  ['/fleet', 'Fleet'],
  ['/board', 'Queues'],
  ['/keys', 'Keys'],
] as const

/** As often as a hidden tab asks. */
const UNKNOWN_MS = 60_000

interface ShellProps {
  readonly title: string
  readonly me: Source<Me>
  readonly open: Source<OpenAlerts>
  readonly children: ComponentChildren
}

/** What is around each page: where one can go, whether what is seen is new, and who looks. */
export function Shell({ title, me, open, children }: ShellProps): VNode {
  const alerts = open.data?.alerts.length ?? 0
  sayInTab(title, alerts, isUnknown(open))
  return (
    <div class="shell">
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="bar">
        <a class="brand" href="/">
          gone
        </a>
        <nav aria-label="Pages">
          {LINKS.map(([href, text]) => link(href, text, alerts, open.data?.next !== undefined))}
        </nav>
        <div class="tools">
          <Liveness />
          <button
            type="button"
            class="plain"
            title={`Show times in ${chosen().isUtc ? ownZone() : 'UTC'} (u)`}
            onClick={switchZone}
          >
            {zone()}
          </button>
          <Menu me={me.data} />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Notices />
        <ToldList />
        {children}
      </main>
      <footer class="foot">
        {me.data &&
          me.data.key === undefined &&
          'No key is needed here: whoever reaches this server may do all this. '}
        gone {me.data?.version} · <a href="/docs">API</a>
      </footer>
      <KeyList />
      <QuestionDialog />
    </div>
  )
}

function link(href: string, text: string, alerts: number, hasMore: boolean): VNode {
  const path = shownPath()
  const isAbout = href === '/alerts' && path.startsWith('/expectations')
  const isHere = href === '/' ? path === '/' : path.startsWith(href) || isAbout
  return (
    <a href={href} key={href} {...(isHere && { 'aria-current': 'page' as const })}>
      {text}
      {text === 'Alerts' && alerts > 0 && (
        <span class="bubble">
          {alerts}
          {hasMore && '+'}
          <span class="unseen"> open</span>
        </span>
      )}
    </a>
  )
}

function Liveness(): VNode {
  switch (liveness()) {
    case 'lost':
    case 'out':
      return <span class="live bad">not live</span>
    case 'held':
      return (
        <button type="button" class="live plain" onClick={() => hold(false)}>
          held · go on
        </button>
      )
    case 'looking':
      return <span class="live looking">looking</span>
    case 'live':
      return <span class="live good">live</span>
  }
}

function Menu({ me }: { readonly me: Me | undefined }): VNode {
  const { theme } = chosen()
  const pick = (next: 'as the system' | 'light' | 'dark') => () => {
    choose({ theme: next })
    draw()
  }
  return (
    <details class="menu">
      <summary>{me?.key ? me.key.name : 'menu'}</summary>
      <div>
        {me?.key && (
          <p class="quiet">
            key {me.key.id}
            <br />
            {me.key.actions.join(', ')} on {me.key.systems.join(', ')}
          </p>
        )}
        <fieldset>
          <legend>Colours</legend>
          {(['as the system', 'light', 'dark'] as const).map((name) => (
            <label key={name}>
              <input type="radio" name="theme" checked={theme === name} onChange={pick(name)} /> {name}
            </label>
          ))}
        </fieldset>
        <label>
          <input
            type="checkbox"
            checked={chosen().hasKeys}
            onChange={() => {
              choose({ hasKeys: !chosen().hasKeys })
              draw()
            }}
          />{' '}
          keys such as / and ?
        </label>
        <a href="/logout">Log out</a>
      </div>
    </details>
  )
}

export function switchZone(): void {
  choose({ isUtc: !chosen().isUtc })
  draw()
}

/** True if nobody has said for a while which alerts are open. */
function isUnknown({ trouble, atMs = performance.timeOrigin }: Source<OpenAlerts>): boolean {
  return trouble !== undefined && Date.now() - atMs > UNKNOWN_MS
}

/** The tab says what is wrong, or that it is not known, to whoever looks elsewhere. */
function sayInTab(title: string, alerts: number, isUnknown: boolean): void {
  const mark = isUnknown ? '(?) ' : alerts > 0 ? `(${alerts}) ` : ''
  document.title = `${mark}${title} · gone`
  const icon = document.getElementById('icon')
  const href = icon
    ?.getAttribute('href')
    ?.replace(/icon(-bad)?\.svg$/, mark !== '' ? 'icon-bad.svg' : 'icon.svg')
  if (icon && href && href !== icon.getAttribute('href')) icon.setAttribute('href', href)
}
