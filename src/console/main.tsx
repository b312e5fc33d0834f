import { at, shownPath } from './lib/base.ts'
import { drawBy } from './lib/draw.ts'
import { follow } from './lib/follow.ts'
import { startLive } from './lib/live.ts'
import type { Me } from './lib/me.ts'
import type { OpenAlerts } from './lib/page.ts'
import { findPlace, keepPlace } from './lib/place.ts'
import { h, options, render } from './lib/preact.js'
import { listenForKeys } from './parts/keys.tsx'
import { Shell, switchZone } from './parts/shell.tsx'
import { pageOf } from './routes.ts'

// Pages name places as the server does; the browser may find them below a path.
options.vnode = ({ type, props }) => {
  const link = props as { href?: unknown }
  if (type === 'a' && typeof link.href === 'string' && link.href.startsWith('/')) link.href = at(link.href)
}

const app = document.getElementById('app') as HTMLElement
const me = follow<Me>('me', [])
const open = follow<OpenAlerts>('alerts?state=open&limit=100', ['alerts'])
const page = pageOf(shownPath(), { me, open })

keepPlace()
drawBy(() => {
  render(
    <Shell title={page.title} me={me} open={open}>
      {page.view()}
    </Shell>,
    app,
  )
  findPlace()
})
listenForKeys({ u: switchZone })
startLive(() => open.again())
