import type { InstanceJson, OrderJson } from '../../core/fleet/fleet-wire.ts'
import type { OrderVerb } from '../../core/fleet/order.ts'
import { ask } from '../lib/ask.ts'
import { h, type VNode } from '../lib/preact.js'
import { tell } from '../lib/told.ts'
import { question } from './dialog.tsx'

const VERBS: Readonly<Record<Exclude<OrderVerb, 'concurrency'>, string>> = {
  register: 'take jobs',
  unregister: 'take no more jobs; those they run go on',
  restart: 'end when their jobs have, to be started again by what started them',
  stop: 'end when their jobs have',
  start: 'are places of supervisors that start an instance again',
}

type Selection = Readonly<Record<string, string | undefined>>

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
            onClick={(event) => plan(verb as keyof typeof VERBS, selection, event.currentTarget)}
          >
            {verb}
          </button>
        ))}
      </div>
    </details>
  )
}

/** Asks whom it would reach first: the same count is sent with the order, and nobody is told if it has changed. */
async function plan(verb: keyof typeof VERBS, given: Selection, button: Element): Promise<void> {
  button.closest('details')?.removeAttribute('open')
  const select = Object.fromEntries(Object.entries(given).filter(([, text]) => text !== undefined))
  const whom = Object.keys(select).length === 0 ? { all: true } : { select }
  try {
    const { instances } = await ask<{ instances: readonly InstanceJson[] }>('fleet/orders', {
      method: 'POST',
      body: { do: verb, ...whom, dryRun: true },
    })
    if (instances.length === 0) {
      tell({ text: 'Nobody would be told: no instance is selected.' })
      return
    }
    question(telling(verb, whom, instances))
  } catch (error) {
    tell({ text: `Not done: ${error instanceof Error ? error.message : String(error)}` })
  }
}

function telling(verb: keyof typeof VERBS, whom: object, instances: readonly InstanceJson[]) {
  const count = instances.length
  const shown = instances.slice(0, 5).map(({ host, id }) => `${host} ${id}`)
  const flags =
    'select' in whom
      ? Object.entries(whom.select as Record<string, string>).map(([field, text]) => `--${field} ${text}`)
      : ['--all']
  return {
    title: `${verb}: ${count} ${count === 1 ? 'instance' : 'instances'}`,
    what: (
      <span>
        {count === 1 ? 'One instance is' : `${count} instances are`} told to {VERBS[verb]}. Each obeys within
        a second, or not at all after a minute.
        <br />
        <code>
          {shown.join(', ')}
          {count > shown.length && ` and ${count - shown.length} more`}
        </code>
      </span>
    ),
    verb: `${verb} ${count}`,
    needs: 'reason' as const,
    ...((verb === 'stop' || verb === 'restart') && { typed: verb }),
    ...(verb !== 'register' && { isBad: true as const }),
    command: `gone fleet ${verb} ${flags.join(' ')} --reason '…'`,
    request: (reason: string) =>
      ['fleet/orders', { method: 'POST' as const, body: { do: verb, ...whom, count, reason } }] as const,
    done: (answer: unknown) => {
      const { order } = answer as { readonly order: OrderJson }
      return { text: `told ${count} to ${verb}`, href: `/fleet/orders/${encodeURIComponent(order.id)}` }
    },
  }
}
