import { describe, expect, it } from 'vitest'
import { alertTargets, readConfig } from '../../src/config.ts'
import { type AlertForm, requestOf } from '../../src/core/alerts/alert-forms.ts'
import type { AlertNewsJson } from '../../src/core/alerts/alert-wire.ts'

const URL_OF: Record<AlertForm, string> = {
  gone: 'https://example.com/hook?key=a',
  slack: 'https://hooks.slack.com/services/T0/B0/x',
  teams: 'https://prod.example.logic.azure.com/workflows/1?sig=x',
  discord: 'https://discord.com/api/webhooks/1/x',
  pagerduty: 'https://events.pagerduty.com/v2/enqueue?routing_key=R0UTE',
  ntfy: 'https://ntfy.sh/our-alerts',
  template: 'https://example.com/own',
}

const opened: AlertNewsJson = {
  id: '17-1795417500412-opened',
  event: 'opened',
  alert: {
    id: '17',
    system: 'report',
    name: 'daily',
    kind: 'missed',
    state: 'open',
    openedAt: '2026-11-23T07:05:00.412Z',
    updatedAt: '2026-11-23T07:05:00.412Z',
    count: 1,
    firstSlot: '2026-11-23T08:00:00+01:00',
    lastSlot: '2026-11-23T08:00:00+01:00',
    detail: 'no round came within 5 min',
  },
}
const resolved: AlertNewsJson = {
  id: '17-1795417500412-resolved',
  event: 'resolved',
  alert: { ...opened.alert, state: 'resolved', count: 3, lastRound: 'late-one', resolution: 'completed' },
}
/** Whose names and reasons are of others, who may mean harm. */
const hostile: AlertNewsJson = {
  ...opened,
  alert: {
    ...opened.alert,
    system: '<!channel>',
    name: '{detail}"}',
    detail: '@everyone {system}\u001b[2J & "x"',
  },
}

function told(form: AlertForm, news: AlertNewsJson, template?: string) {
  const { url, body } = requestOf(
    { url: URL_OF[form], form, ...(template !== undefined && { template }) },
    news,
  )
  return { url: url.href, body: JSON.parse(body) as unknown }
}

const LINE = 'report/daily: missed, slot 2026-11-23T08:00:00+01:00: no round came within 5 min'
const RESOLVED = 'report/daily: missed is resolved: completed'

describe('an alert is told', () => {
  it.each([
    ['gone', opened, URL_OF.gone, opened],
    ['gone', resolved, URL_OF.gone, resolved],
    ['slack', opened, URL_OF.slack, { text: LINE }],
    ['slack', resolved, URL_OF.slack, { text: RESOLVED }],
    [
      'discord',
      opened,
      URL_OF.discord,
      expect.objectContaining({ content: LINE, allowed_mentions: { parse: [] } }),
    ],
    ['discord', resolved, URL_OF.discord, expect.objectContaining({ content: RESOLVED })],
    [
      'ntfy',
      opened,
      'https://ntfy.sh/',
      {
        topic: 'our-alerts',
        title: 'report/daily missed',
        message: LINE,
        tags: ['rotating_light'],
        priority: 4,
      },
    ],
    [
      'ntfy',
      resolved,
      'https://ntfy.sh/',
      expect.objectContaining({ tags: ['white_check_mark'], priority: 3 }),
    ],
    [
      'pagerduty',
      opened,
      'https://events.pagerduty.com/v2/enqueue',
      expect.objectContaining({
        routing_key: 'R0UTE',
        event_action: 'trigger',
        dedup_key: 'gone-17-2026-11-23T07:05:00.412Z',
        payload: expect.objectContaining({
          summary: LINE,
          source: 'report',
          severity: 'error',
          timestamp: '2026-11-23T07:05:00.412Z',
        }),
      }),
    ],
    [
      'pagerduty',
      resolved,
      'https://events.pagerduty.com/v2/enqueue',
      expect.objectContaining({ event_action: 'resolve', dedup_key: 'gone-17-2026-11-23T07:05:00.412Z' }),
    ],
  ] as const)('in the form %s', (form, news, url, body) => {
    expect(told(form, news)).toEqual({ url, body })
  })

  it('to Teams as an adaptive card', () => {
    const { body } = told('teams', resolved) as { body: { type: string; attachments: readonly object[] } }
    expect(body.type).toBe('message')
    expect(body.attachments).toEqual([
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: expect.objectContaining({
          type: 'AdaptiveCard',
          body: [
            { type: 'TextBlock', text: RESOLVED, weight: 'Bolder', wrap: true },
            {
              type: 'FactSet',
              facts: [
                { title: 'kind', value: 'missed' },
                { title: 'slots', value: '3, 2026-11-23T08:00:00+01:00 to 2026-11-23T08:00:00+01:00' },
                { title: 'round', value: 'late-one' },
              ],
            },
          ],
        }),
      },
    ])
  })

  it.each([
    [
      '{"title":"{system}/{name} {kind}","n":"{count}","fixed":[1,true,"{event}"]}',
      { title: 'report/daily missed', n: '1', fixed: [1, true, 'opened'] },
    ],
    ['"{text}"', LINE],
    ['{"a":{"b":"{alertId} {id} {resolution}{lastRound}"}}', { a: { b: '17 17-1795417500412-opened ' } }],
    ['{"plain":"no field, { and } alone"}', { plain: 'no field, { and } alone' }],
  ])('by the template %s', (template, body) => {
    expect(told('template', opened, template).body).toEqual(body)
  })

  it.each(['slack', 'teams', 'discord', 'pagerduty', 'ntfy'] as const)(
    'in the form %s without what would do harm',
    (form) => {
      const body = told(form, hostile).body as { readonly payload?: { readonly custom_details?: unknown } }
      // What is shown as data, and not as a line, is as it was told.
      const text = JSON.stringify(body, (name, value) => (name === 'custom_details' ? undefined : value))
      expect(text).not.toContain('\\u001b')
      if (form === 'slack') expect(text).not.toContain('<!channel>')
    },
  )

  it('by a template without that a field becomes another, or markup', () => {
    expect(told('template', hostile, '{"t":"{name}","d":"{detail}"}').body).toEqual({
      t: '{detail}"}',
      d: hostile.alert.detail,
    })
  })
})

describe('the settings of alerts', () => {
  const env = { GONE_ALERT_URL: `${URL_OF.gone},${URL_OF.slack}` }

  it.each([
    [{ GONE_ALERT_URL: URL_OF.slack, GONE_ALERT_FORMAT: 'slack' }, ['slack']],
    [env, ['gone', 'gone']],
    [{ ...env, GONE_ALERT_FORMAT: 'gone, slack' }, ['gone', 'slack']],
    [{}, []],
  ])('%j are the forms %j', (given, forms) => {
    expect(alertTargets(readConfig(given)).map(({ form }) => form)).toEqual(forms)
  })

  it.each([
    [
      { ...env, GONE_ALERT_FORMAT: 'gone,slack,teams' },
      'GONE_ALERT_FORMAT: expected one, or one for each of 2 in GONE_ALERT_URL, got 3',
    ],
    [{ ...env, GONE_ALERT_FORMAT: 'slak' }, 'GONE_ALERT_FORMAT: expected one of gone, slack, '],
    [
      { GONE_ALERT_URL: 'https://events.pagerduty.com/v2/enqueue', GONE_ALERT_FORMAT: 'pagerduty' },
      'expected ?routing_key=',
    ],
    [
      { GONE_ALERT_URL: 'https://ntfy.sh/', GONE_ALERT_FORMAT: 'ntfy' },
      'expected a topic at the end of the URL',
    ],
    [{ GONE_ALERT_URL: URL_OF.template, GONE_ALERT_FORMAT: 'template' }, 'expected GONE_ALERT_TEMPLATE'],
    [
      { GONE_ALERT_TEMPLATE: '{"a": {system}}' },
      'GONE_ALERT_TEMPLATE: expected JSON whose texts name fields in braces, of id, event,',
    ],
    [{ GONE_ALERT_TEMPLATE: '{"a": "{sytem}"}' }, 'GONE_ALERT_TEMPLATE: expected JSON'],
    [{ GONE_ALERT_URL: `${URL_OF.gone},nowhere` }, 'GONE_ALERT_URL: expected an absolute URL'],
    [{ GONE_ALERT_URL: `${URL_OF.gone},${URL_OF.gone}` }, 'GONE_ALERT_URL: expected different URLs'],
  ])('%j are refused in one line', (given, message) => {
    expect(() => readConfig(given)).toThrow(message)
    expect(() => readConfig(given)).toThrow(/^[^\n]+$/)
  })
})
