import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Copy } from '../parts/name.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

interface ListedKey {
  readonly id: string
  readonly name: string
  readonly actions: readonly string[]
  readonly systems: readonly string[]
  readonly workers: readonly string[]
  readonly createdAt: string
  readonly expiresAt?: string
  readonly lastUsedAt?: string
}

const COLUMNS: readonly Column<ListedKey>[] = [
  {
    title: 'Id',
    kind: 'main',
    cell: ({ id }) => (
      <span>
        <code class="name">{id}</code> <Copy text={id} what="the id" />
      </span>
    ),
  },
  { title: 'Name', cell: ({ name }) => name },
  { title: 'Actions', cell: ({ actions }) => actions.join(', ') },
  { title: 'Systems', cell: ({ systems }) => systems.join(', ') },
  { title: 'Workers', kind: 'minor', cell: ({ workers }) => workers.join(', ') },
  { title: 'Made', cell: ({ createdAt }) => <Time at={createdAt} /> },
  { title: 'Ends', cell: ({ expiresAt }) => (expiresAt === undefined ? 'never' : <Time at={expiresAt} />) },
  {
    title: 'Last used',
    cell: ({ lastUsedAt }) => (lastUsedAt === undefined ? 'never yet' : <Time at={lastUsedAt} />),
  },
]

/** Who may do what. No secret is here: there is none but its digest anywhere. */
export function keysPage({ me }: Ground): Page {
  const list = follow<{
    readonly keys: readonly ListedKey[]
    readonly areAll: boolean
    readonly isOpen: boolean
  }>('keys', [])
  return {
    title: 'Keys',
    view: () => (
      <div>
        <div class="head">
          <h1>Keys</h1>
        </div>
        {me.data?.key && (
          <p>
            You: key <code>{me.data.key.id}</code> “{me.data.key.name}”, {me.data.key.actions.join(', ')} on{' '}
            {me.data.key.systems.join(', ')}. <a href="/logout">Log out</a>
          </p>
        )}
        <div class="panel">
          {list.data === undefined ? (
            <Waiting trouble={list.trouble} />
          ) : (
            bodyOf(list.data.keys, list.data.isOpen)
          )}
        </div>
        {list.data && !list.data.areAll && <p class="pager quiet">A key with admin sees all of them.</p>}
      </div>
    ),
  }
}

function bodyOf(keys: readonly ListedKey[], isOpen: boolean): VNode {
  if (isOpen)
    return (
      <Empty command="gone key create --name me">
        No keys: whoever reaches {location.host} may do all this. With the first key everybody needs one:
      </Empty>
    )
  return <Table caption="Keys" columns={COLUMNS} rows={keys} keyOf={({ id }) => id} />
}
