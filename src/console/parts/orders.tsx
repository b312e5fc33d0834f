import type { InstanceJson, OrderJson } from '../../core/fleet/fleet-wire.ts'
import type { OrderVerb } from '../../core/fleet/order.ts'
import { ask } from '../lib/ask.ts'
import { h, type VNode } from '../lib/preact.js'
import { tell } from '../lib/told.ts'
import { type Agreed, type Question, question } from './dialog.tsx'
import { quoted } from './name.tsx'

const VERBS: Readonly<Record<OrderVerb, string>> = {
  register: 'take jobs',
  unregister: 'take no more jobs; those they run go on',
  concurrency: 'run so many jobs at once, until they are told otherwise or end',
  restart: 'end when their jobs have, to be started again by what started them',
  stop: 'end when their jobs have',
  start: 'are places of supervisors that start an instance again',
}

type Selection = Readonly<Record<string, string | undefined>>

/** What is sent with each order of one plan. */
interface Planned {
  readonly verb: OrderVerb
  readonly whom: { readonly all: true } | { readonly select: Readonly<Record<string, string>> }
  /** Whose jobs at once, where the selection says it; else an instance has to have one worker alone. */
  readonly worker?: string
}

/** What instances can be told, those that are on the screen. */
export function orderMenu(selection: Selection): VNode {
  return (
    <details class="menu">
      <summary>Order…</summary>
      <div>
        {Object.keys(VERBS).map((verb) => (
          <button
            key={verb}
            type="button"
            onClick={(event) => plan(verb as OrderVerb, selection, event.currentTarget)}
          >
            {verb}
          </button>
        ))}
      </div>
    </details>
  )
}

/** Asks whom it would reach first: these are sent with the order, and nobody is told where they are others by then. */
async function plan(verb: OrderVerb, given: Selection, button: Element): Promise<void> {
  button.closest('details')?.removeAttribute('open')
  const select = Object.fromEntries(
    Object.entries(given).flatMap(([field, text]) => (text === undefined ? [] : [[field, text]])),
  )
  const planned: Planned = {
    verb,
    whom: Object.keys(select).length === 0 ? { all: true } : { select },
    ...(verb === 'concurrency' && /^[\w%.-]+$/.test(select.worker ?? '') && { worker: select.worker }),
  }
  try {
    const { instances } = await ask<{ instances: readonly InstanceJson[] }>('fleet/orders', {
      method: 'POST',
      body: { ...bodyOf(planned, '1'), dryRun: true },
    })
    if (instances.length === 0) {
      tell({ text: 'Nobody would be told: no instance is selected.' })
      return
    }
    question(telling(planned, instances))
  } catch (error) {
    tell({ text: `Not done: ${error instanceof Error ? error.message : String(error)}` })
  }
}

function bodyOf({ verb, whom, worker }: Planned, said: string): object {
  return {
    do: verb,
    ...whom,
    ...(verb === 'concurrency' && { slots: Number(said) }),
    ...(worker !== undefined && { worker }),
  }
}

function telling(planned: Planned, instances: readonly InstanceJson[]): Question {
  const { verb } = planned
  const count = instances.length
  return {
    title: `${verb}: ${count} ${count === 1 ? 'instance' : 'instances'}`,
    what: whatOf(verb, instances),
    verb: `${verb} ${count}`,
    ...(verb === 'concurrency' && { asks: { label: 'Jobs at once', likely: slotsOf(instances) } }),
    needs: 'reason',
    ...((verb === 'stop' || verb === 'restart') && { typed: verb }),
    ...(verb !== 'register' && { isBad: true as const }),
    insist: {
      code: 'MIN_REGISTERED',
      label: 'All the same: at once, even where less than half would be left',
    },
    command: (said) => commandOf(planned, said),
    request: ({ reason, said, insists }: Agreed) => [
      'fleet/orders',
      {
        method: 'POST',
        body: {
          ...bodyOf(planned, said),
          count,
          instances: instances.map(({ id }) => id),
          reason,
          ...(insists && { atOnce: true }),
        },
      },
    ],
    done: (answer) => {
      const { order } = answer as { readonly order: OrderJson }
      return { text: `told ${count} to ${verb}`, href: `/fleet/orders/${encodeURIComponent(order.id)}` }
    },
  }
}

function whatOf(verb: OrderVerb, instances: readonly InstanceJson[]): VNode {
  const count = instances.length
  const shown = instances.slice(0, 5).map(({ host, id }) => `${host} ${id}`)
  return (
    <span>
      {count === 1 ? 'One instance is' : `${count} instances are`} told to {VERBS[verb]}. Each obeys within a
      second, or not at all after a minute.
      <br />
      <code>
        {shown.join(', ')}
        {count > shown.length && ` and ${count - shown.length} more`}
      </code>
    </span>
  )
}

/** As many as the first of them runs now. */
function slotsOf([first]: readonly InstanceJson[]): readonly string[] {
  return first?.workers.slice(0, 1).map(({ slots }) => String(slots)) ?? []
}

function commandOf({ verb, whom }: Planned, said: string): string {
  const flags =
    'select' in whom
      ? Object.entries(whom.select).map(([field, text]) => `--${field} ${quoted(text)}`)
      : ['--all']
  return `gone fleet ${verb}${verb === 'concurrency' ? ` ${quoted(said)}` : ''} ${flags.join(' ')} --reason '…'`
}
