import type { Ground, Page } from './lib/page.ts'
import { alertsPage } from './pages/alerts.tsx'
import { expectationPage } from './pages/expectation.tsx'
import { fleetPage } from './pages/fleet.tsx'
import { instancePage } from './pages/instance.tsx'
import { keysPage } from './pages/keys.tsx'
import { lostPage } from './pages/lost.tsx'
import { nowPage } from './pages/now.tsx'
import { orderPage } from './pages/order.tsx'
import { poolPage } from './pages/pool.tsx'
import { roundPage } from './pages/round.tsx'
import { roundsPage } from './pages/rounds.tsx'
import { schedulePage } from './pages/schedule.tsx'
import { scheduleForm } from './pages/schedule-form.tsx'
import { schedulesPage } from './pages/schedules.tsx'
import { workerPage } from './pages/worker.tsx'

const PAGES: readonly (readonly [RegExp, (ground: Ground, ...names: string[]) => Page])[] = [
  [/^\/$/, nowPage],
  [/^\/rounds$/, roundsPage],
  [/^\/schedules$/, schedulesPage],
  [/^\/schedules\/new$/, (ground) => scheduleForm(ground)],
  [/^\/schedules\/([^/]+)\/([^/]+)$/, schedulePage],
  [/^\/schedules\/([^/]+)\/([^/]+)\/edit$/, scheduleForm],
  [/^\/alerts$/, alertsPage],
  [/^\/expectations\/([^/]+)\/([^/]+)$/, expectationPage],
  [/^\/fleet$/, fleetPage],
  [/^\/fleet\/instances\/([^/]+)$/, instancePage],
  [/^\/fleet\/workers\/([^/]+)$/, workerPage],
  [/^\/fleet\/pools\/([^/]+)$/, poolPage],
  [/^\/fleet\/orders\/([^/]+)$/, orderPage],
  [/^\/keys$/, keysPage],
  [/^\/rounds\/([^/]+)\/([^/]+)$/, roundPage],
]

export function pageOf(path: string, ground: Ground): Page {
  for (const [form, make] of PAGES) {
    const match = form.exec(path)
    if (match) return make(ground, decodeURIComponent(match[1] ?? ''), decodeURIComponent(match[2] ?? ''))
  }
  return lostPage()
}
