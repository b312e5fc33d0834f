import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { pathOf } from '../lib/ask.ts'
import { h, type VNode } from '../lib/preact.js'
import { type Agreed, question } from './dialog.tsx'
import { quoted, roundPath } from './name.tsx'
import { roundKeyOf } from './round-rows.ts'

/** What can be asked of a round. Nothing is offered to whom it is not permitted. */
export function roundButtons(
  round: RoundJson,
  may: { readonly elect: boolean; readonly submit: boolean } | undefined,
): VNode | null {
  if (may === undefined || !(round.job ? may.submit : may.elect)) return null
  const isOver = round.completion !== undefined
  return (
    <span class="row">
      {(round.state === 'failed' || round.state === 'overdue') && (
        <button type="button" onClick={() => question(retrying(round))}>
          Retry
        </button>
      )}
      {!isOver && (
        <button type="button" class="bad" onClick={() => question(cancelling(round))}>
          Cancel
        </button>
      )}
      {!isOver && round.fence !== undefined && may.elect && (
        <button type="button" class="bad" onClick={() => question(failing(round))}>
          Fail
        </button>
      )}
    </span>
  )
}

function retrying(round: RoundJson) {
  const { system, round: name } = round
  return {
    title: `Retry ${roundKeyOf(round)}`,
    what: round.job
      ? 'Its job is made anew, with all its attempts. How it had ended stays in its story.'
      : 'It is led by whoever asks next, under a higher fence. How it had ended stays in its story.',
    verb: 'Retry the round',
    needs: 'reason' as const,
    command: `gone retry ${quoted(system)} ${quoted(name)} --reason '…'`,
    request: ({ reason }: Agreed) =>
      [
        `retry/${encodeURIComponent(system)}/${encodeURIComponent(name)}`,
        { method: 'POST' as const, body: { reason } },
      ] as const,
    done: () => ({ text: `opened ${roundKeyOf(round)} again`, href: roundPath(round) }),
  }
}

function cancelling(round: RoundJson) {
  const { system, round: name } = round
  return {
    title: `Cancel ${roundKeyOf(round)}`,
    what: 'It ends as failed, with your reason. A handler that runs is told within 4 s; what it reports then is refused.',
    verb: 'Cancel the round',
    needs: 'reason' as const,
    isBad: true as const,
    command: `gone cancel ${quoted(system)} ${quoted(name)} --reason '…'`,
    request: ({ reason }: Agreed) =>
      [
        `cancel/${encodeURIComponent(system)}/${encodeURIComponent(name)}`,
        { method: 'POST' as const, body: { reason } },
      ] as const,
    done: () => ({ text: `cancelled ${roundKeyOf(round)}`, href: roundPath(round) }),
  }
}

function failing(round: RoundJson) {
  const { system, round: name, fence } = round
  return {
    title: `Fail ${roundKeyOf(round)}`,
    what: `It ends as failed under fence ${fence}, in the place of its leader, whose own report is refused then.`,
    verb: 'Fail the round',
    needs: 'reason' as const,
    isBad: true as const,
    command: `gone fail ${quoted(system)} ${quoted(name)} --fence ${fence} --reason '…'`,
    request: ({ reason }: Agreed) =>
      [
        pathOf(`fail/${encodeURIComponent(system)}/${encodeURIComponent(name)}`, { fence }),
        { method: 'POST' as const, body: { reason, final: true } },
      ] as const,
    done: () => ({ text: `failed ${roundKeyOf(round)}`, href: roundPath(round) }),
  }
}
