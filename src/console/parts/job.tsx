import type { RoundJobJson, RoundJson } from '../../core/rounds/round-wire.ts'
import { pathOf, type Trouble } from '../lib/ask.ts'
import { follow, type Source } from '../lib/follow.ts'
import { often } from '../lib/often.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from './empty.tsx'
import { Facts } from './facts.tsx'
import { Json, Text } from './json.tsx'
import { Panel } from './panel.tsx'

const LINES = 200

/** The job of the round whose path this is; undefined as long as it has none. */
export function followJob(path: () => string | undefined): Source<RoundJobJson> {
  const job: Source<RoundJobJson> = follow<RoundJobJson>(() => {
    const round = path()
    return round && pathOf(`${round}/job`, { lines: LINES })
  }, [])
  // What a handler writes is news to nobody else.
  often(
    () => job.data?.state === 'active',
    () => job.again(),
  )
  return job
}

/** How the job is doing, and what its handler has written. */
export function JobPanel({ job }: { readonly job: Source<RoundJobJson> }): VNode {
  const { data, trouble } = job
  return (
    <Panel title="Job">
      {data ? bodyOf(data) : trouble ? <Empty>{wordsOf(trouble)}</Empty> : <Waiting trouble={undefined} />}
    </Panel>
  )
}

function wordsOf({ code }: Trouble): string {
  return code === 'JOB_GONE'
    ? 'It is not in its queue any more; what became of the round is in its story.'
    : 'It cannot be seen now.'
}

function bodyOf({ state, attempts, attemptsMade, progress, data, log }: RoundJobJson): VNode {
  return (
    <div>
      <Facts
        rows={[
          ['In its queue', state],
          [
            'Attempts',
            attempts === undefined ? `${attemptsMade} ended` : `${attemptsMade} of ${attempts} ended`,
          ],
          ['Progress', typeof progress === 'number' ? <Progress percent={progress} /> : undefined],
        ]}
      />
      {progress !== undefined && typeof progress !== 'number' && (
        <Json value={progress} what="the progress" />
      )}
      <h3 class="inset">Its data</h3>
      <Json value={data} what="the data" />
      <h3 class="inset">
        Its log <span class="quiet">{logWords(log)}</span>
      </h3>
      {log.lines.length > 0 && <Text text={log.lines.join('\n')} what="the log" />}
    </div>
  )
}

function logWords({ lines, count }: RoundJobJson['log']): string {
  if (count === 0) return 'nothing yet'
  return lines.length < count
    ? `the last ${lines.length} of ${count} lines`
    : `${count} ${count === 1 ? 'line' : 'lines'}`
}

function Progress({ percent }: { readonly percent: number }): VNode {
  return (
    <span>
      <progress max={100} value={percent} aria-label="Progress" /> {percent} %
    </span>
  )
}

/** One that is led over HTTP has a job when it has ended, or nobody has reported it. */
export function jobLink(round: RoundJson): VNode | undefined {
  const { job, state } = round
  if (job === undefined && (state === 'led' || state === 'open')) return undefined
  return <a href={jobPath(round)}>on the queue {queueOf(round)}</a>
}

function queueOf({ job }: RoundJson): string {
  if (job === undefined) return 'rounds'
  return job.region === undefined ? job.worker : `${job.worker}~${escaped(job.region)}`
}

/** Where the board shows its job. */
function jobPath(job: RoundJson): string {
  const key = [job.system, job.round].map(escaped).join('~')
  return `/board/queue/${encodeURIComponent(queueOf(job))}/${encodeURIComponent(key)}`
}

/** As the jobs' ids have it. */
function escaped(part: string): string {
  return [...new TextEncoder().encode(part)]
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return /[A-Za-z0-9_.-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}
