import type { DeathJson } from '../../core/fleet/fleet-wire.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Facts } from './facts.tsx'
import { Text } from './json.tsx'
import { Name, roundPath } from './name.tsx'
import { Panel } from './panel.tsx'
import { roundKeyOf } from './round-rows.ts'
import { Spark } from './spark.tsx'

/** Why an instance died, as its supervisor has seen it. */
export function DeathPanel({ death }: { readonly death: DeathJson }): VNode {
  const { cause, detail, exitCode, signal, livedMs, jobs, memory, lines } = death
  return (
    <Panel title="Why it died">
      <Facts
        rows={[
          ['What happened', detail],
          ['Cause', cause],
          ['Exit code', exitCode],
          ['Signal', signal],
          ['Lived', duration(livedMs)],
          ['Jobs it left', jobs.length > 0 ? <span>{jobs.map(linkOf)}</span> : 'none'],
        ]}
      />
      {memory.length > 1 && (
        <div class="body">
          <Spark
            title="Memory before, MB"
            values={memory.map(({ rssBytes }) => Math.round(rssBytes / 1_048_576))}
            unit="MB"
          />
        </div>
      )}
      {lines.length > 0 && (
        <div>
          <h3 class="inset">The last that it printed</h3>
          <Text text={lines.join('\n')} what="its last lines" />
        </div>
      )}
    </Panel>
  )
}

/** They were handed back, and go on elsewhere. */
function linkOf(job: DeathJson['jobs'][number], index: number): VNode {
  return (
    <span key={roundKeyOf(job)}>
      {index > 0 && ', '}
      <Name href={roundPath(job)} text={roundKeyOf(job)} />
    </span>
  )
}
