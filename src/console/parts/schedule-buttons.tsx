import type { BackfillJson, ScheduleJson, TriggerJson } from '../../core/schedules/schedule-wire.ts'
import { draw } from '../lib/draw.ts'
import { h, type VNode } from '../lib/preact.js'
import { act, question } from './dialog.tsx'
import { quoted, roundPath, schedulePath } from './name.tsx'

type One = Pick<ScheduleJson, 'system' | 'name' | 'paused'>

/** What can be asked of a schedule. Nothing is offered to whom it is not permitted. */
export function scheduleButtons(one: One, may: boolean, which: 'few' | 'all'): VNode | null {
  if (!may) return null
  return (
    <span class="row end">
      <button
        type="button"
        aria-label={`Trigger ${one.name}`}
        disabled={asking.has(triggerPath(one))}
        onClick={() => void trigger(one)}
      >
        Trigger
      </button>
      <button
        type="button"
        aria-label={`${one.paused ? 'Resume' : 'Pause'} ${one.name}`}
        onClick={() => turn(one, one.paused ? 'resume' : 'pause')}
      >
        {one.paused ? 'Resume' : 'Pause'}
      </button>
      {which === 'all' && (
        <span class="row">
          <a class="button" href={`${schedulePath(one)}/edit`}>
            Edit
          </a>
          <button type="button" class="bad" onClick={() => question(removing(one))}>
            Remove
          </button>
        </span>
      )}
    </span>
  )
}

export function apiPath({ system, name }: Pick<One, 'system' | 'name'>): string {
  return `schedules/${encodeURIComponent(system)}/${encodeURIComponent(name)}`
}

/** Triggers that nobody has answered yet, by what is asked: asked again soon with its id, it is the same round. */
const unanswered = new Map<string, { readonly id: string; readonly atMs: number }>()
const AGAIN_WITHIN_MS = 60_000
const asking = new Set<string>()

function triggerPath(one: One): string {
  return `${apiPath(one)}/trigger`
}

async function trigger(one: One): Promise<void> {
  const path = triggerPath(one)
  if (asking.has(path)) return
  asking.add(path)
  const nowMs = Date.now()
  const before = unanswered.get(path)
  const isAgain = before !== undefined && nowMs - before.atMs < AGAIN_WITHIN_MS
  const id = isAgain ? before.id : `console-${nowMs.toString(36)}`
  unanswered.set(path, isAgain ? before : { id, atMs: nowMs })
  draw()
  const isAnswered = await act(path, { method: 'POST', body: { id } }, (answer) => {
    const { round } = answer as TriggerJson
    return { text: `submitted ${one.system}/${round}`, href: roundPath({ system: one.system, round }) }
  })
  if (isAnswered) unanswered.delete(path)
  asking.delete(path)
  draw()
}

function turn(one: One, step: 'pause' | 'resume'): void {
  const [done, back] = step === 'pause' ? (['paused', 'resume'] as const) : (['resumed', 'pause'] as const)
  void act(`${apiPath(one)}/${step}`, { method: 'POST' }, () => ({
    text: `${done} ${one.system}/${one.name}`,
    undo: { word: back === 'resume' ? 'Resume' : 'Pause', act: () => turn(one, back) },
  }))
}

function removing(one: One) {
  return {
    title: `Remove ${one.system}/${one.name}`,
    what: 'No further round comes of it. The rounds that it has submitted stay.',
    verb: 'Remove the schedule',
    typed: one.name,
    isBad: true as const,
    command: `gone schedule remove ${quoted(one.system)} ${quoted(one.name)}`,
    request: () => [apiPath(one), { method: 'DELETE' as const }] as const,
    done: () => ({ text: `removed ${one.system}/${one.name}` }),
  }
}

/** Tells how a backfill went. */
export function backfilled(one: Pick<One, 'system' | 'name'>, { rounds, next }: BackfillJson) {
  const fresh = rounds.filter(({ isFirst }) => isFirst).length
  return {
    text: `${one.system}/${one.name}: ${fresh} of ${rounds.length} slots submitted${next === undefined ? '' : `, more from ${next}`}`,
    href: `/rounds?system=${encodeURIComponent(one.system)}&q=${encodeURIComponent(`${one.name}@`)}`,
  }
}
