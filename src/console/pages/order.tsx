import type { OrderJson } from '../../core/fleet/fleet-wire.ts'
import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Badge } from '../parts/badge.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Facts } from '../parts/facts.tsx'
import { Name } from '../parts/name.tsx'
import { outcomesOf } from '../parts/order-list.tsx'
import { Panel } from '../parts/panel.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

/** One order, and how it goes at each instance. */
export function orderPage(_: Ground, id: string): Page {
  const found = follow<{ readonly order: OrderJson }>(`fleet/orders/${encodeURIComponent(id)}`, ['fleet'])
  return {
    title: `order ${id}`,
    view: () => (
      <div>
        <p class="crumbs">
          <a href="/fleet">Fleet</a> / orders
        </p>
        <div class="head">
          <h1 class="mono" data-name>
            {id}
          </h1>
        </div>
        {found.data ? (
          bodyOf(found.data.order)
        ) : found.trouble?.status === 404 ? (
          <Empty>There is no such order.</Empty>
        ) : (
          <Waiting trouble={found.trouble} />
        )}
      </div>
    ),
  }
}

const COLUMNS: readonly Column<OrderJson['instances'][number]>[] = [
  {
    title: 'Instance',
    kind: 'main',
    cell: ({ id }) => <Name href={`/fleet/instances/${encodeURIComponent(id)}`} text={id} />,
  },
  { title: 'How it went', cell: ({ outcome }) => <Badge state={outcome} /> },
  { title: 'When', cell: ({ at }) => <Time at={at} /> },
  { title: 'Detail', kind: 'wide', cell: ({ detail }) => detail ?? '' },
]

function bodyOf(order: OrderJson): VNode {
  return (
    <div class="grid">
      <Panel title="Instances" more={<span class="quiet">{outcomesOf(order)}</span>}>
        <Table caption="Instances" columns={COLUMNS} rows={order.instances} keyOf={({ id }) => id} />
      </Panel>
      <Panel title="Facts">
        <Facts
          rows={[
            ['What', order.slots === undefined ? order.do : `${order.do} ${order.slots}`],
            ['Whom', order.selection],
            ['By', order.actor],
            ['Why', order.reason],
            ['Given', <Time at={order.givenAt} />],
            ['Until', <Time at={order.until} />],
          ]}
        />
      </Panel>
    </div>
  )
}
