import type { PoolJson, PoolsJson } from '../../core/fleet/pool-wire.ts'
import { pathOf } from '../lib/ask.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Badge } from '../parts/badge.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Facts } from '../parts/facts.tsx'
import { Command, Named, quoted, workerPath } from '../parts/name.tsx'
import { Panel } from '../parts/panel.tsx'
import { PoolButtons } from '../parts/pool-buttons.tsx'
import {
  hostsOf,
  isUnderway,
  PLACE_COLUMNS,
  type PoolHost,
  RolloutWords,
  workingOf,
} from '../parts/pool-rows.tsx'
import { followPools } from '../parts/pools.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

/** One pool: how many there shall be, where they are, and how its last deploy went or goes. */
export function poolPage({ me }: Ground, name: string): Page {
  const all = followPools()
  return {
    title: `pool ${name}`,
    view: () => {
      const pool = all.data?.pools.find((one) => one.name === name)
      return (
        <div>
          <p class="crumbs">
            <a href="/fleet">Fleet</a> / pools
          </p>
          <div class="head">
            <Named text={name} what="the name" />
            {pool && (
              <span class="quiet">
                {pool.working} of {pool.instances} work ·{' '}
                <a href={pathOf('/fleet', { pool: name })}>its instances</a>
              </span>
            )}
            <div class="side">
              {pool && all.data && me.data?.may.operate && (
                <PoolButtons pool={pool} supervisors={all.data.supervisors} />
              )}
            </div>
          </div>
          {pool && all.data ? (
            bodyOf(pool, all.data)
          ) : all.data ? (
            nothing()
          ) : (
            <Waiting trouble={all.trouble} />
          )}
        </div>
      )
    },
  }
}

function nothing(): VNode {
  return (
    <div class="panel">
      <Empty>
        There is no pool of that name. <a href="/fleet">The fleet</a>
      </Empty>
    </div>
  )
}

function bodyOf(pool: PoolJson, { supervisors }: PoolsJson): VNode {
  return (
    <div class="grid">
      <div class="stack">
        <Panel title={isUnderway(pool.rollout) ? 'Deploy on its way' : 'Last deploy'}>{deployOf(pool)}</Panel>
        <Panel title="Hosts">{hostTable(pool, supervisors)}</Panel>
        <Panel title="Places">
          {pool.places.length > 0 ? (
            <Table caption="Places" columns={PLACE_COLUMNS} rows={pool.places} keyOf={({ place }) => place} />
          ) : (
            <Empty command="gone work ./workers --pools 8">
              No host that may have places of it has room. Have one take some:
            </Empty>
          )}
        </Panel>
      </div>
      <div class="stack">
        <Panel title="Facts">
          <Facts rows={factsOf(pool)} />
        </Panel>
        <Panel title="As a command">
          <div class="body">
            <Command text={`gone fleet pools ${quoted(pool.name)}`} />
          </div>
        </Panel>
      </div>
    </div>
  )
}

function deployOf(pool: PoolJson): VNode {
  const { rollout } = pool
  if (rollout === undefined) return <Empty>It has run nothing else yet.</Empty>
  const { startedAt, endedAt, why } = rollout
  return (
    <Facts
      rows={[
        ['How it goes', <RolloutWords pool={pool} />],
        ['Why', why],
        ['Begun', <Time at={startedAt} />],
        ['Ended', endedAt && <Time at={endedAt} />],
      ]}
    />
  )
}

function hostTable(pool: PoolJson, supervisors: PoolsJson['supervisors']): VNode {
  const room = new Map(supervisors.map((one) => [one.host, one]))
  const columns: readonly Column<PoolHost>[] = [
    {
      title: 'Host',
      kind: 'main',
      cell: ({ host }) => <a href={pathOf('/fleet', { host })}>{host || 'a lost host'}</a>,
    },
    { title: 'Region', cell: ({ region }) => region },
    {
      title: 'State',
      cell: ({ host }) => <Badge state={room.get(host)?.isLost === false ? 'there' : 'lost'} />,
    },
    { title: 'Its places work', kind: 'number', cell: ({ places }) => workingOf(places) },
    {
      title: 'Of all pools',
      kind: 'number',
      cell: ({ host }) => {
        const one = room.get(host)
        return one ? `${one.places} of ${one.most}` : '–'
      },
    },
    { title: 'Releases', kind: 'wide', cell: ({ host }) => room.get(host)?.releases?.join(', ') ?? 'none' },
  ]
  const hosts = hostsOf(pool)
  if (hosts.length === 0) return <Empty>None has a place of it.</Empty>
  return <Table caption="Hosts" columns={columns} rows={hosts} keyOf={({ host }) => host} />
}

function factsOf(pool: PoolJson): [string, VNode | string | number | undefined][] {
  const { instances, missing, workers, region, host, release, before, actor, reason, at } = pool
  return [
    ['Instances', instances],
    ['Without a place', missing > 0 ? `${missing}: no host has room` : undefined],
    ['Workers', workers ? <span>{workers.map(linkOf)}</span> : 'all'],
    ['Where', [region, host].filter(Boolean).join(' / ') || 'anywhere'],
    ['Release', release ?? 'what is in the folders'],
    ['Before', before.join(', ')],
    ['Set', <Time at={at} />],
    ['By', actor],
    ['Why', reason],
  ]
}

function linkOf(name: string, index: number): VNode {
  return (
    <span key={name}>
      {index > 0 && ', '}
      <a href={workerPath(name)}>{name}</a>
    </span>
  )
}
