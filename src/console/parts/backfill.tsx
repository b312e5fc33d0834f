import type { BackfillJson } from '../../core/schedules/schedule-wire.ts'
import { ask, type Trouble } from '../lib/ask.ts'
import { draw } from '../lib/draw.ts'
import { h, type VNode } from '../lib/preact.js'
import { tell } from '../lib/told.ts'
import { question } from './dialog.tsx'
import { quoted } from './name.tsx'
import { apiPath, backfilled } from './schedule-buttons.tsx'

const MAX_SLOTS = 100

let [from, to] = ['', '']

/** Slots of a time that has passed, to be submitted now. */
export function BackfillForm({ system, name }: { readonly system: string; readonly name: string }): VNode {
  return (
    <form
      class="body stack"
      onSubmit={(event) => {
        event.preventDefault()
        void plan(system, name)
      }}
    >
      {box('From', from, (text) => {
        from = text
      })}
      {box('To', to, (text) => {
        to = text
      })}
      <div>
        <button type="submit" disabled={from === '' || to === ''}>
          Backfill…
        </button>
      </div>
    </form>
  )
}

function box(label: string, value: string, set: (text: string) => void): VNode {
  const id = `backfill-${label.toLowerCase()}`
  return (
    <label class="field" htmlFor={id}>
      {label}, in this computer’s zone
      <input
        id={id}
        type="datetime-local"
        step="1"
        value={value}
        onInput={({ currentTarget }) => {
          set(currentTarget.value)
          draw()
        }}
      />
    </label>
  )
}

/** Asks first which slots it would be: the same count is sent with the order, and nothing is submitted if it has changed. */
async function plan(system: string, name: string): Promise<void> {
  const body = { from: instant(from), to: instant(to), max: MAX_SLOTS }
  const path = `${apiPath({ system, name })}/backfill`
  try {
    const planned = await ask<BackfillJson>(path, { method: 'POST', body: { ...body, dryRun: true } })
    const count = planned.rounds.filter(({ isFirst }) => isFirst).length
    if (count === 0) tell({ text: `${system}/${name}: ${noneOf(planned)}` })
    else
      question({
        title: `Backfill ${system}/${name}`,
        what: slotsOf(planned, count),
        verb: `Submit ${count}`,
        command: `gone schedule backfill ${quoted(system)} ${quoted(name)} --from ${body.from} --to ${body.to} --max ${MAX_SLOTS}`,
        request: () => [path, { method: 'POST', body: { ...body, count } }],
        done: (answer) => backfilled({ system, name }, answer as BackfillJson),
      })
  } catch (error) {
    tell({ text: `Not done: ${(error as Trouble).message}` })
  }
}

function noneOf({ rounds }: BackfillJson): string {
  return rounds.length === 0 ? 'no slot is due in that time' : 'all slots of that time were submitted before'
}

function slotsOf({ rounds, next }: BackfillJson, count: number): VNode {
  return (
    <span>
      {count} of {rounds.length} {rounds.length === 1 ? 'slot' : 'slots'} will be submitted now, oldest first.
      {next !== undefined && ` There are more from ${next} on, for another time.`}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section class="slots" tabIndex={0} aria-label="The slots">
        {rounds.map(({ slot, isFirst }) => (
          <div key={slot}>
            <code>{slot}</code>{' '}
            {isFirst ? 'will be submitted' : <span class="quiet">was submitted before</span>}
          </div>
        ))}
      </section>
    </span>
  )
}

/** In whole seconds. */
function instant(local: string): string {
  return new Date(local).toISOString().replace(/\.\d+Z$/, 'Z')
}
