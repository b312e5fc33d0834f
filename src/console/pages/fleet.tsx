import type { InstanceJson, OrderJson, TopologyJson } from '../../core/fleet/fleet-wire.ts'
import type { FleetCount } from '../../core/fleet/topology.ts'
import { addressWith, asked } from '../lib/address.ts'
import { pathOf } from '../lib/ask.ts'
import { shownPath } from '../lib/base.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Files } from '../parts/files.tsx'
import { type Field, Filters, Tabs } from '../parts/filters.tsx'
import { INSTANCE_COLUMNS, INSTANCE_FILE } from '../parts/instances.tsx'
import { Name, workerPath } from '../parts/name.tsx'
import { orderMenu } from '../parts/orders.tsx'
import { Panel } from '../parts/panel.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

interface InstanceList {
  readonly instances: readonly InstanceJson[]
  readonly next?: string
}

interface OrderList {
  readonly orders: readonly OrderJson[]
}

const SELECTED = ['region', 'host', 'release', 'worker'] as const
const FIELDS: readonly Field[] = [
  { name: 'worker', label: 'Worker', isSearch: true, example: 'mailer, or mail-*   /' },
  { name: 'region', label: 'Region' },
  { name: 'host', label: 'Host' },
  { name: 'release', label: 'Release' },
]
const VIEWS: Readonly<Record<string, string>> = {
  active: 'registered,stuck',
  inactive: 'unregistered,stopping,unresponsive,stopped,crash-looping,lost',
  ended: 'died,ended',
}

/** What runs workers: where, which, how loaded; and what they were told. */
export function fleetPage({ me }: Ground): Page {
  const state = asked('state') ?? VIEWS[asked('view') ?? '']
  const selection = Object.fromEntries(SELECTED.map((field) => [field, asked(field)]))
  const topology = follow<TopologyJson>(() => pathOf('fleet', selection), ['fleet'])
  const list = follow<InstanceList>(
    () => pathOf('fleet/instances', { ...selection, state, limit: 100, cursor: asked('before') }),
    ['fleet'],
  )
  const orders = follow<OrderList>('fleet/orders?limit=10', ['fleet'])
  return {
    title: 'Fleet',
    view: () => (
      <div>
        <div class="head">
          <h1>Fleet</h1>
          {topology.data && (
            <span class="quiet">
              {topology.data.instances} instances, {topology.data.running} jobs run in {topology.data.slots}{' '}
              slots
            </span>
          )}
          <div class="side">
            {me.data?.may.operate && orderMenu({ ...selection, state })}
            <Files name="fleet" columns={INSTANCE_FILE} rows={list.data?.instances ?? []} />
          </div>
        </div>
        <Filters fields={FIELDS} />
        <div class="line">
          <Tabs
            name="view"
            label="Views"
            tabs={[
              { value: undefined, text: 'all', count: topology.data?.instances },
              { value: 'active', text: 'active', count: sum(topology.data, 'registered', 'stuck') },
              {
                value: 'inactive',
                text: 'inactive',
                count: sum(
                  topology.data,
                  'unregistered',
                  'stopping',
                  'unresponsive',
                  'stopped',
                  'crash-looping',
                  'lost',
                ),
              },
              { value: 'ended', text: 'ended' },
            ]}
          />
        </div>
        {topology.data && topology.data.instances > 0 && topologyOf(topology.data)}
        <Panel title="Instances">{instancesOf(list)}</Panel>
        <p class="pager">
          {asked('before') !== undefined && (
            <a rel="first" href={addressWith({ before: undefined })}>
              First
            </a>
          )}
          <span class="quiet">{list.data?.instances.length ?? 0} shown</span>
          {list.data?.next !== undefined && (
            <a rel="next" href={addressWith({ before: list.data.next })}>
              More
            </a>
          )}
        </p>
        <Panel title="Last orders">{ordersOf(orders)}</Panel>
      </div>
    ),
  }
}

function sum(
  topology: TopologyJson | undefined,
  ...states: readonly (keyof TopologyJson['states'])[]
): number | undefined {
  return topology && states.reduce((all, state) => all + (topology.states[state] ?? 0), 0)
}

/** Counted by place, worker and release: each leads to those it counts. */
function topologyOf({ regions, workers, releases }: TopologyJson): VNode {
  return (
    <div class="topology">
      <Panel title="Where">
        <ul class="tree">
          {regions.map((region) => (
            <li key={region.name}>
              {counted('region', region)}
              <ul>
                {region.hosts.map((host) => (
                  <li key={host.name}>{counted('host', host)}</li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title="Workers">
        <ul class="tree">
          {workers.map((worker) => (
            <li key={worker.name}>
              {counted('worker', worker)} <a href={workerPath(worker.name)}>graphs</a>
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title="Releases">
        <ul class="tree">
          {releases.map((release) => (
            <li key={release.name}>{counted('release', release)}</li>
          ))}
        </ul>
      </Panel>
    </div>
  )
}

function counted(field: string, { name, instances, states, running, slots }: FleetCount): VNode {
  const others = Object.entries(states).filter(([state]) => state !== 'registered')
  return (
    <span>
      <Name href={addressWith({ [field]: name, before: undefined })} text={name} /> {instances}
      <span class="quiet">
        {' '}
        · load {running} of {slots}
        {others.map(([state, count]) => ` · ${count} ${state}`).join('')}
      </span>
    </span>
  )
}

function instancesOf({ data }: Source<InstanceList>): VNode {
  if (data === undefined) return <Waiting />
  if (data.instances.length > 0)
    return (
      <Table caption="Instances" columns={INSTANCE_COLUMNS} rows={data.instances} keyOf={({ id }) => id} />
    )
  if (location.search !== '')
    return (
      <Empty>
        No instance matches. <a href={shownPath()}>Clear all</a>
      </Empty>
    )
  return <Empty command="gone work">No worker is there. Start some, beside their files:</Empty>
}

const ORDERS: readonly Column<OrderJson>[] = [
  {
    title: 'Order',
    kind: 'main',
    cell: ({ id, do: verb, slots }) => (
      <Name
        href={`/fleet/orders/${encodeURIComponent(id)}`}
        text={slots === undefined ? verb : `${verb} ${slots}`}
      />
    ),
  },
  { title: 'Whom', cell: ({ selection }) => selection },
  { title: 'By', cell: ({ actor }) => actor },
  { title: 'Why', kind: 'wide', cell: ({ reason }) => reason },
  { title: 'How it went', cell: outcomesOf },
  { title: 'Given', cell: ({ givenAt }) => <Time at={givenAt} /> },
]

export function outcomesOf({ outcomes }: OrderJson): string {
  return Object.entries(outcomes)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')
}

function ordersOf({ data }: Source<OrderList>): VNode {
  if (data === undefined) return <Waiting />
  if (data.orders.length === 0)
    return (
      <Empty command={'gone fleet unregister --host eu-a --reason "new disk" --dry-run'}>
        No instance was told anything in the last 30 days. To see whom an order would reach:
      </Empty>
    )
  return <Table caption="Last orders" columns={ORDERS} rows={data.orders} keyOf={({ id }) => id} />
}
