import type { ExpectationJson } from '../../core/alerts/alert-wire.ts'
import type { Source } from '../lib/follow.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from './empty.tsx'
import { Name } from './name.tsx'
import { type Column, Table } from './table.tsx'
import { When } from './when.tsx'

export interface Expectations {
  readonly expectations: readonly Omit<ExpectationJson, 'now'>[]
  readonly next?: string
}

export function expectationPath({
  system,
  name,
}: {
  readonly system: string
  readonly name: string
}): string {
  return `/expectations/${encodeURIComponent(system)}/${encodeURIComponent(name)}`
}

const EXPECTED: readonly Column<Omit<ExpectationJson, 'now'>>[] = [
  {
    title: 'Of',
    kind: 'main',
    cell: (one) => <Name href={expectationPath(one)} text={`${one.system}/${one.name}`} />,
  },
  { title: 'When', cell: (one) => <When of={one} /> },
  { title: 'Zone', kind: 'minor', cell: ({ tz }) => tz },
  { title: 'Within', cell: ({ grace }) => grace },
  { title: 'Late after', kind: 'minor', cell: ({ late }) => late ?? '–' },
  { title: 'Replicas', kind: 'number', cell: ({ replicas }) => replicas ?? '–' },
]

export function expectationsOf({ data, trouble }: Source<Expectations>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  if (data.expectations.length === 0)
    return (
      <Empty command="gone expectation set report hourly --every 1h --grace 5m --replicas 3">
        Nothing is expected yet, so nothing can be missed. Schedules say it with a grace; of others say:
      </Empty>
    )
  return (
    <Table
      caption="Expectations"
      columns={EXPECTED}
      rows={data.expectations}
      keyOf={({ system, name }) => `${system}/${name}`}
    />
  )
}
