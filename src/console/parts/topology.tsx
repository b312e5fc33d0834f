import type { TopologyJson } from '../../core/fleet/fleet-wire.ts'
import type { FleetCount } from '../../core/fleet/topology.ts'
import { addressWith } from '../lib/address.ts'
import { h, type VNode } from '../lib/preact.js'
import { Name, workerPath } from './name.tsx'
import { Panel } from './panel.tsx'

/** Counted by place, worker and release: each leads to those it counts. */
export function topologyOf({ regions, workers, releases }: TopologyJson): VNode {
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
