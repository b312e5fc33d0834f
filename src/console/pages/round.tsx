import type { RoundJobJson, RoundJson } from '../../core/rounds/round-wire.ts'
import { pathOf } from '../lib/ask.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Badge } from '../parts/badge.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Facts } from '../parts/facts.tsx'
import { followJob, JobPanel, jobLink } from '../parts/job.tsx'
import { Json } from '../parts/json.tsx'
import { Leader, leaderNameOf } from '../parts/leader.tsx'
import { Command, Named, quoted, schedulePath } from '../parts/name.tsx'
import { Panel } from '../parts/panel.tsx'
import { roundButtons } from '../parts/round-buttons.tsx'
import { took } from '../parts/round-rows.ts'
import { Story } from '../parts/story.tsx'
import { Time } from '../parts/time.tsx'

/** All there is to know of one round, and what can be done about it. */
export function roundPage({ me }: Ground, system: string, round: string): Page {
  const path = `rounds/${encodeURIComponent(system)}/${encodeURIComponent(round)}`
  let hasJob = false
  const job = followJob(() => (hasJob ? path : undefined))
  const found = follow<RoundJson>(path, ['rounds'], {
    onData: (data) => {
      hasJob = data.job !== undefined
      if (hasJob) void job.again()
    },
  })
  return {
    title: round,
    view: () => (
      <div>
        <p class="crumbs">
          <a href="/rounds">Rounds</a> / <a href={pathOf('/rounds', { system })}>{system}</a>
        </p>
        <div class="head">
          <Named text={round} what="the name" />
          {found.data && <Badge state={found.data.state} />}
          <div class="side">{found.data && roundButtons(found.data, me.data?.may)}</div>
        </div>
        {found.data ? (
          bodyOf(found.data, job)
        ) : found.trouble?.status === 404 ? (
          nothing(system, round)
        ) : (
          <Waiting trouble={found.trouble} />
        )}
      </div>
    ),
  }
}

function nothing(system: string, round: string): VNode {
  return (
    <div class="panel">
      <Empty>
        No round of that name. It may be older than rounds are remembered.{' '}
        <a href={pathOf('/rounds', { system, q: round })}>Search for it</a>
      </Empty>
    </div>
  )
}

function bodyOf(round: RoundJson, job: Source<RoundJobJson>): VNode {
  return (
    <div class="grid">
      <div class="stack">
        <Panel title="Story" more={<span class="quiet">{took(round)}</span>}>
          <Story round={round} />
        </Panel>
        {round.job && <JobPanel job={job} />}
      </div>
      <div class="stack">
        <Panel title="Facts">
          <Facts rows={factsOf(round)} />
        </Panel>
        {round.completion?.result !== undefined && (
          <Panel title="Result">
            <Json value={round.completion.result} what="the result" />
          </Panel>
        )}
        <Panel title="As a command">
          <div class="body">
            <Command
              text={`gone ${round.job ? 'completed' : 'elected'} ${quoted(round.system)} ${quoted(round.round)}`}
            />
          </div>
        </Panel>
      </div>
    </div>
  )
}

function factsOf(round: RoundJson): [string, VNode | string | number | undefined][] {
  const { leader, fence, job, deadlineAt } = round
  const lease = 'leaseExpiresAt' in round ? round.leaseExpiresAt : undefined
  const schedule = /^(.{1,100}?)[@+]/.exec(round.round)?.[1]
  return [
    ['Led by', leader === undefined ? undefined : <Leader round={round} />],
    ['At', leaderNameOf(round) === undefined ? undefined : leader],
    ['Fence', fence],
    ['Worker', job && <a href={pathOf('/rounds', { worker: job.worker })}>{job.worker}</a>],
    ['Region', job?.region && <a href={pathOf('/fleet', { region: job.region })}>{job.region}</a>],
    ['Submitted', job && (job.submissions === undefined ? 'once' : `${job.submissions} times`)],
    ['Starts', job?.starts],
    ['Deadline', deadlineAt && <Time at={deadlineAt} />],
    ['Lease until', lease && round.completion === undefined ? <Time at={lease} /> : undefined],
    [
      'Schedule',
      job && schedule !== undefined ? (
        <a href={schedulePath({ system: round.system, name: schedule })}>{schedule}</a>
      ) : undefined,
    ],
    ['Job', jobLink(round)],
  ]
}
