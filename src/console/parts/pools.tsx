import type { PoolJson, PoolsJson } from '../../core/fleet/pool-wire.ts'
import { follow, type Source } from '../lib/follow.ts'
import { often } from '../lib/often.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from './empty.tsx'
import { Panel } from './panel.tsx'
import { PoolButtons } from './pool-buttons.tsx'
import { isUnderway, poolColumns, SUPERVISOR_COLUMNS } from './pool-rows.tsx'
import { Table } from './table.tsx'

/** The pools as they are; each second, while a deploy is on its way: no change of an instance tells of its steps. */
export function followPools(): Source<PoolsJson> {
  const pools = follow<PoolsJson>('fleet/pools', ['fleet'])
  often(
    () => pools.data?.pools.some(({ rollout }) => isUnderway(rollout)) ?? false,
    () => pools.again(),
  )
  return pools
}

interface PoolPanelsProps {
  readonly pools: Source<PoolsJson>
  readonly mayOperate: boolean
}

/** How many of what there shall be where, and who takes their places. */
export function PoolPanels({ pools: { data, trouble }, mayOperate }: PoolPanelsProps): VNode {
  if (data === undefined)
    return (
      <Panel title="Pools">
        <Waiting trouble={trouble} />
      </Panel>
    )
  const { pools, supervisors } = data
  const buttons = (pool: PoolJson) => <PoolButtons pool={pool} supervisors={supervisors} />
  return (
    <div class="stack">
      <Panel title="Pools">
        {pools.length > 0 ? (
          <Table
            caption="Pools"
            columns={poolColumns(mayOperate ? buttons : undefined)}
            rows={pools}
            keyOf={({ name }) => name}
          />
        ) : (
          <Empty
            command={supervisors.length > 0 ? 'gone fleet apply fleet.yaml' : 'gone work ./workers --pools 8'}
          >
            {supervisors.length > 0
              ? 'No pool says how many of which workers there shall be. Write them into a file:'
              : 'No host takes places of pools, which say how many of which workers there shall be where. Have one take some:'}
          </Empty>
        )}
      </Panel>
      {supervisors.length > 0 && (
        <Panel title="Hosts that take places">
          <Table
            caption="Hosts that take places"
            columns={SUPERVISOR_COLUMNS}
            rows={supervisors}
            keyOf={({ id }) => id}
          />
        </Panel>
      )}
    </div>
  )
}
