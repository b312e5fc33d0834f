import type { InstanceJson, TopologyJson } from '../../core/fleet/fleet-wire.ts'
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
import { type OrderList, ordersOf } from '../parts/order-list.tsx'
import { orderMenu } from '../parts/orders.tsx'
import { Panel } from '../parts/panel.tsx'
import { followPools, PoolPanels } from '../parts/pools.tsx'
import { Table } from '../parts/table.tsx'
import { topologyOf } from '../parts/topology.tsx'

interface InstanceList {
  readonly instances: readonly InstanceJson[]
  readonly next?: string
}

const SELECTED = ['region', 'host', 'release', 'worker', 'pool'] as const
const FIELDS: readonly Field[] = [
  { name: 'worker', label: 'Worker', isSearch: true, example: 'mailer, or mail-*   /' },
  { name: 'region', label: 'Region' },
  { name: 'host', label: 'Host' },
  { name: 'release', label: 'Release' },
  { name: 'pool', label: 'Pool' },
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
  const pools = followPools()
  const orders = follow<OrderList>('fleet/orders?limit=10', ['fleet'])
  return {
    title: 'Fleet',
    view: () => (
      <div>
        <div class="head">
          <h1>Fleet</h1>
          {topology.data && (
            <span class="quiet">
              {many(topology.data.instances, 'instance')}, {many(topology.data.running, 'job')} in{' '}
              {many(topology.data.slots, 'slot')}
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
        <div class="stack">
          <PoolPanels pools={pools} mayOperate={me.data?.may.operate ?? false} />
          <Panel title="Last orders">{ordersOf(orders)}</Panel>
        </div>
      </div>
    ),
  }
}

/** @example '1 instance' */
function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function sum(
  topology: TopologyJson | undefined,
  ...states: readonly (keyof TopologyJson['states'])[]
): number | undefined {
  return topology && states.reduce((all, state) => all + (topology.states[state] ?? 0), 0)
}

function instancesOf({ data, trouble }: Source<InstanceList>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
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
