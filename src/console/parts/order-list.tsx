import type { OrderJson } from '../../core/fleet/fleet-wire.ts'
import type { Source } from '../lib/follow.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from './empty.tsx'
import { Name } from './name.tsx'
import { type Column, Table } from './table.tsx'
import { Time } from './time.tsx'

export interface OrderList {
  readonly orders: readonly OrderJson[]
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

export function ordersOf({ data, trouble }: Source<OrderList>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  if (data.orders.length === 0)
    return (
      <Empty command={'gone fleet unregister --host eu-a --reason "new disk" --dry-run'}>
        No instance was told anything in the last 30 days. To see whom an order would reach:
      </Empty>
    )
  return <Table caption="Last orders" columns={ORDERS} rows={data.orders} keyOf={({ id }) => id} />
}
