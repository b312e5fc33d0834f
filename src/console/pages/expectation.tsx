import type { AlertJson, ExpectationJson, ExpectedSlotJson } from '../../core/alerts/alert-wire.ts'
import { pathOf } from '../lib/ask.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Badge } from '../parts/badge.tsx'
import { question } from '../parts/dialog.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { expectationPath } from '../parts/expectations.tsx'
import { Facts } from '../parts/facts.tsx'
import { Name, Named, quoted, roundPath } from '../parts/name.tsx'
import { Panel } from '../parts/panel.tsx'
import { Strip } from '../parts/strip.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { When } from '../parts/when.tsx'

interface Slots {
  readonly slots: readonly ExpectedSlotJson[]
}

/** One expectation: what came for its last slots, who asked for it and who did not. */
export function expectationPage({ me, open }: Ground, system: string, name: string): Page {
  const path = expectationPath({ system, name }).slice(1)
  const found = follow<ExpectationJson>(path, ['alerts'])
  const slots = follow<Slots>(`${path}/slots`, ['alerts', 'rounds'])
  return {
    title: `${system}/${name}`,
    view: () => (
      <div>
        <p class="crumbs">
          <a href="/alerts">Alerts</a> / expectations of <a href={pathOf('/alerts', { system })}>{system}</a>
        </p>
        <div class="head">
          <Named text={name} what="the name" />
          <div class="side">
            {found.data && me.data?.may.submit && (
              <button type="button" class="bad" onClick={() => question(removing(system, name))}>
                Remove
              </button>
            )}
          </div>
        </div>
        {found.data ? (
          bodyOf(found.data, slots, openOf(open.data?.alerts ?? [], system, name))
        ) : found.trouble?.status === 404 ? (
          <div class="panel">
            <Empty>
              There is no such expectation. <a href="/alerts">All of them</a>
            </Empty>
          </div>
        ) : (
          <Waiting trouble={found.trouble} />
        )}
      </div>
    ),
  }
}

function openOf(alerts: readonly AlertJson[], system: string, name: string): readonly AlertJson[] {
  return alerts.filter((alert) => alert.system === system && alert.name === name)
}

function bodyOf(one: ExpectationJson, slots: Source<Slots>, open: readonly AlertJson[]): VNode {
  const rows = slots.data?.slots ?? []
  return (
    <div class="stack">
      <Panel title="Its last slots" more={<Strip rounds={rows.map(went).toReversed()} what="slots" />}>
        {slots.data === undefined ? (
          <Waiting trouble={slots.trouble} />
        ) : rows.length === 0 ? (
          <Empty>None has been due since it is expected.</Empty>
        ) : (
          <Table
            caption="Its last slots"
            columns={columnsOf(one.system, rows)}
            rows={rows}
            keyOf={({ slot }) => slot}
          />
        )}
      </Panel>
      <Panel title="What is expected">
        <Facts
          rows={[
            ['When', <When of={one} />],
            ['Zone', one.tz],
            ['Within', one.grace],
            ['Late after', one.late],
            ['Replicas', one.replicas],
            ['Since', <Time at={one.updatedAt} />],
            ...open.map((alert): [string, VNode] => ['Open alert', alertWords(alert)]),
          ]}
        />
      </Panel>
    </div>
  )
}

function alertWords({ kind, detail }: AlertJson): VNode {
  return (
    <span>
      <Badge state={kind} /> {detail}
    </span>
  )
}

function went(slot: ExpectedSlotJson): { readonly round: string; readonly state: string } {
  return { round: slot.slot, state: stateOf(slot) }
}

function stateOf({ wrong, state, isOpen }: ExpectedSlotJson): string {
  return wrong[0] ?? state ?? (isOpen ? 'waiting' : 'missed')
}

function columnsOf(system: string, rows: readonly ExpectedSlotJson[]): readonly Column<ExpectedSlotJson>[] {
  const all = [...new Set(rows.flatMap(({ candidates = [] }) => candidates))].toSorted()
  const columns: readonly Column<ExpectedSlotJson>[] = [
    {
      title: 'Due',
      cell: ({ slot, at }) => (
        <span title={slot}>
          <Time at={at} />
        </span>
      ),
    },
    { title: 'State', cell: (slot) => <Badge state={stateOf(slot)} /> },
    {
      title: 'Round',
      kind: 'main',
      cell: ({ round }) =>
        round === undefined ? 'none' : <Name href={roundPath({ system, round })} text={round} />,
    },
    { title: 'Came after', kind: 'number', cell: cameAfter },
  ]
  if (all.length === 0) return columns
  return [
    ...columns,
    { title: 'Who came', kind: 'wide', cell: ({ candidates = [] }) => candidates.join(', ') || 'nobody' },
    { title: 'Who did not', kind: 'wide', cell: (slot) => absent(slot, all) },
  ]
}

/** Of those who came for one of the slots that are shown. */
function absent({ candidates = [] }: ExpectedSlotJson, all: readonly string[]): string {
  return all.filter((name) => !candidates.includes(name)).join(', ') || '–'
}

function cameAfter({ at, cameAt }: ExpectedSlotJson): string {
  return cameAt === undefined ? '–' : duration(Date.parse(cameAt) - Date.parse(at))
}

function removing(system: string, name: string) {
  return {
    title: `Remove the expectation ${system}/${name}`,
    what: 'Nothing is expected of it any more, and its open alerts are resolved.',
    verb: 'Remove the expectation',
    isBad: true as const,
    command: `gone expectation remove ${quoted(system)} ${quoted(name)}`,
    request: () => [expectationPath({ system, name }).slice(1), { method: 'DELETE' as const }] as const,
    done: () => ({ text: `removed the expectation ${system}/${name}` }),
  }
}
