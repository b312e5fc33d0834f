import type { RoundJson } from '../../core/rounds/round-wire.ts'
import type { FileColumn } from '../lib/csv.ts'
import { h } from '../lib/preact.js'
import { Badge } from '../parts/badge.tsx'
import { Leader, leaderNameOf } from '../parts/leader.tsx'
import { Name, roundPath } from '../parts/name.tsx'
import { cameAt, ended, took, tookMs } from '../parts/round-rows.ts'
import type { Column } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

export const ROUND_COLUMNS: readonly Column<RoundJson>[] = [
  { title: 'State', cell: ({ state }) => <Badge state={state} /> },
  { title: 'System', cell: ({ system }) => system },
  { title: 'Round', kind: 'main', cell: (round) => <Name href={roundPath(round)} text={round.round} /> },
  { title: 'Led by', cell: (round) => <Leader round={round} /> },
  { title: 'Worker', kind: 'minor', cell: ({ job }) => job?.worker ?? '–' },
  { title: 'Fence', kind: 'minor number', cell: ({ fence }) => fence ?? '–' },
  { title: 'Came', cell: (round) => <Time at={cameAt(round) ?? 0} /> },
  { title: 'For', kind: 'number lasting', cell: took },
  { title: 'Ended', kind: 'wide', cell: (round) => <span class="quiet">{ended(round)}</span> },
]

export const ROUND_FILE: readonly FileColumn<RoundJson>[] = [
  { title: 'state', of: ({ state }) => state },
  { title: 'system', of: ({ system }) => system },
  { title: 'round', of: ({ round }) => round },
  { title: 'leader', of: ({ leader }) => leader },
  { title: 'leaderName', of: leaderNameOf },
  { title: 'worker', of: ({ job }) => job?.worker },
  { title: 'fence', of: ({ fence }) => fence },
  { title: 'came', of: cameAt },
  { title: 'tookMs', of: tookMs },
  { title: 'endedAt', of: ({ completion }) => completion?.at },
  { title: 'ended', of: (round) => String(ended(round)) },
]
