import { Counter, Gauge } from 'prom-client'
import { ALERT_KINDS } from '../../core/alerts/alert.ts'
import type { Alerts } from '../../core/alerts/alert-ports.ts'
import type { AlertTally } from '../../service/alerts/alert-tally.ts'
import type { Registries } from './registries.ts'
import { withinScrape } from './scrape.ts'

export interface AlertMetricsParts {
  readonly alerts: Pick<Alerts, 'openCounts'>
  readonly alertTally: Pick<AlertTally, 'counts'>
  /** How deliveries of alerts went; missing where none are made. */
  readonly deliveries?: Readonly<Record<'delivered' | 'retried' | 'givenUp', number>>
}

export function collectAlerts(
  { own, shared }: Registries,
  { alerts, alertTally, deliveries }: AlertMetricsParts,
): void {
  new Gauge({
    name: 'gone_alerts_open',
    help: 'Alerts that are open now, by kind. Missing while Redis cannot answer.',
    labelNames: ['kind'],
    registers: [shared],
    async collect() {
      this.reset()
      const counts = await withinScrape(alerts.openCounts())
      for (const kind of ALERT_KINDS) if (counts) this.set({ kind }, counts[kind])
    },
  })
  new Counter({
    name: 'gone_alerts_total',
    help: 'Alerts that this process opened and resolved, by kind and event.',
    labelNames: ['kind', 'event'],
    registers: [own],
    collect() {
      this.reset()
      for (const [event, kinds] of Object.entries(alertTally.counts)) {
        for (const [kind, count] of Object.entries(kinds)) this.inc({ kind, event }, count)
      }
    },
  })
  if (deliveries === undefined) return
  new Counter({
    name: 'gone_alert_deliveries_total',
    help: 'Attempts of this process to tell of an alert, by outcome: delivered, retried (failed, to be tried again), givenUp.',
    labelNames: ['outcome'],
    registers: [own],
    collect() {
      this.reset()
      for (const [outcome, count] of Object.entries(deliveries)) this.inc({ outcome }, count)
    },
  })
}
