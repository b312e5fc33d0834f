import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import { serverNowMs } from '../lib/clock.ts'
import type { FileColumn } from '../lib/csv.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Badge } from './badge.tsx'
import { Name, workerPath } from './name.tsx'
import type { Column } from './table.tsx'
import { Time } from './time.tsx'

export const INSTANCE_COLUMNS: readonly Column<InstanceJson>[] = [
  {
    title: 'Instance',
    kind: 'main',
    cell: ({ id }) => <Name href={`/fleet/instances/${encodeURIComponent(id)}`} text={id} />,
  },
  { title: 'State', cell: ({ state }) => <Badge state={state} /> },
  { title: 'Place', cell: ({ region, host }) => (region === 'none' ? host : `${region} / ${host}`) },
  { title: 'Worker', cell: ({ workers }) => workers.map(linkOf) },
  {
    title: 'Runs',
    kind: 'number',
    cell: ({ workers }) => workers.map(({ running, slots }) => `${running} of ${slots}`).join(', '),
  },
  { title: 'Done', kind: 'number', cell: ({ workers }) => total(workers, 'done') },
  { title: 'Failed', kind: 'number', cell: ({ workers }) => total(workers, 'failed') },
  { title: 'Last job', kind: 'minor', cell: lastJob },
  {
    title: 'Up',
    kind: 'minor number',
    cell: ({ startedAt, endedAt }) =>
      duration((endedAt ? Date.parse(endedAt) : serverNowMs()) - Date.parse(startedAt)),
  },
  {
    title: 'CPU',
    kind: 'number',
    cell: ({ cpuPercent }) => (cpuPercent === undefined ? '–' : `${Math.round(cpuPercent)} %`),
  },
  {
    title: 'Memory',
    kind: 'number',
    cell: ({ rssBytes }) => (rssBytes === undefined ? '–' : `${Math.round(rssBytes / 1_048_576)} MB`),
  },
  {
    title: 'Loop',
    kind: 'minor number',
    cell: ({ loopDelayMs }) => (loopDelayMs === undefined ? '–' : `${loopDelayMs} ms`),
  },
  { title: 'Release', kind: 'minor', cell: ({ release }) => release },
]

function linkOf({ name }: InstanceJson['workers'][number], index: number): VNode {
  return (
    <span key={name}>
      {index > 0 && ', '}
      <a href={workerPath(name)}>{name}</a>
    </span>
  )
}

function total(workers: InstanceJson['workers'], what: 'done' | 'failed'): number {
  return workers.reduce((all, worker) => all + worker[what], 0)
}

function lastJob({ workers }: InstanceJson): VNode | string {
  const last = workers
    .flatMap(({ lastTaken }) => lastTaken ?? [])
    .toSorted()
    .at(-1)
  return last === undefined ? 'none yet' : <Time at={last} isShort />
}

export const INSTANCE_FILE: readonly FileColumn<InstanceJson>[] = [
  { title: 'id', of: ({ id }) => id },
  { title: 'state', of: ({ state }) => state },
  { title: 'region', of: ({ region }) => region },
  { title: 'host', of: ({ host }) => host },
  { title: 'workers', of: ({ workers }) => workers.map(({ name }) => name).join(' ') },
  { title: 'running', of: ({ workers }) => workers.reduce((all, { running }) => all + running, 0) },
  { title: 'slots', of: ({ workers }) => workers.reduce((all, { slots }) => all + slots, 0) },
  { title: 'done', of: ({ workers }) => total(workers, 'done') },
  { title: 'failed', of: ({ workers }) => total(workers, 'failed') },
  { title: 'startedAt', of: ({ startedAt }) => startedAt },
  { title: 'cpuPercent', of: ({ cpuPercent }) => cpuPercent },
  { title: 'rssBytes', of: ({ rssBytes }) => rssBytes },
  { title: 'loopDelayMs', of: ({ loopDelayMs }) => loopDelayMs },
  { title: 'release', of: ({ release }) => release },
  { title: 'version', of: ({ version }) => version },
]
