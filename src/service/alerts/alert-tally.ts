import { ALERT_KINDS, type AlertKind, type AlertNews } from '../../core/alerts/alert.ts'

/** How many alerts this process has opened and resolved, by kind. */
export class AlertTally {
  readonly counts: Readonly<Record<AlertNews['event'], Record<AlertKind, number>>> = {
    opened: none(),
    resolved: none(),
  }

  note({ event, alert }: AlertNews): void {
    this.counts[event][alert.kind] += 1
  }
}

function none(): Record<AlertKind, number> {
  return Object.fromEntries(ALERT_KINDS.map((kind) => [kind, 0])) as Record<AlertKind, number>
}
