import { visible } from '../printable.ts'
import type { AlertJson, AlertNewsJson } from './alert-wire.ts'

/** The bodies that alerts can be told in. */
export const ALERT_FORMS = ['gone', 'slack', 'teams', 'discord', 'pagerduty', 'ntfy', 'template'] as const
export type AlertForm = (typeof ALERT_FORMS)[number]

/** Where and how one receiver is told. */
export interface AlertTarget {
  readonly url: string
  readonly form: AlertForm
  /** Of the form `template`: JSON whose texts hold names of fields in braces. */
  readonly template?: string
}

/** What a template may name. */
export const TEMPLATE_FIELDS = [
  'id',
  'event',
  'alertId',
  'system',
  'name',
  'kind',
  'state',
  'count',
  'firstSlot',
  'lastSlot',
  'lastRound',
  'detail',
  'resolution',
  'openedAt',
  'updatedAt',
  'text',
] as const
type Fields = Readonly<Record<(typeof TEMPLATE_FIELDS)[number], string>>

const MAX_DISCORD = 2_000
const MAX_SUMMARY = 1_024
const RED = 0xb3261e
const GREEN = 0x2e7d32

/** Why nobody could be told so; undefined if one can. */
export function mistakeInTarget({ url, form, template }: AlertTarget): string | undefined {
  const { searchParams, pathname } = new URL(url)
  if (form === 'pagerduty' && !searchParams.get('routing_key'))
    return 'expected ?routing_key= at the end of the URL for pagerduty, got none'
  if (form === 'ntfy' && topicIn(pathname) === '')
    return 'expected a topic at the end of the URL for ntfy, got none'
  return form === 'template' && template === undefined
    ? 'expected GONE_ALERT_TEMPLATE with the form template, got none'
    : undefined
}

/** Whether a template is JSON that names no other fields than there are. */
export function isTemplate(text: string): boolean {
  try {
    JSON.parse(text)
  } catch {
    return false
  }
  const named = [...text.matchAll(FIELD)].map(([, name = '']) => name)
  return named.every((name) => TEMPLATE_FIELDS.some((field) => field === name))
}

const FIELD = /\{(\w+)\}/g

/** The request that tells it: where to, and with what body. */
export function requestOf(target: AlertTarget, news: AlertNewsJson): { url: URL; body: string } {
  const url = new URL(target.url)
  const body = bodyOf(target, url, news)
  if (target.form === 'pagerduty') url.searchParams.delete('routing_key')
  if (target.form === 'ntfy') url.pathname = url.pathname.slice(0, url.pathname.lastIndexOf('/') + 1)
  return { url, body: JSON.stringify(body) }
}

function bodyOf({ form, template = '' }: AlertTarget, url: URL, news: AlertNewsJson): unknown {
  const { event, alert } = news
  const line = lineOf(news)
  const isOpen = event === 'opened'
  switch (form) {
    case 'gone':
      return news
    case 'slack':
      return { text: line.replace(/[&<>]/g, (char) => SLACK[char] ?? char) }
    case 'discord':
      return {
        content: line.slice(0, MAX_DISCORD).toWellFormed(),
        embeds: [
          { color: isOpen ? RED : GREEN, fields: factsOf(alert).map(([name, value]) => ({ name, value })) },
        ],
        // A round is named by others, who must not call everybody.
        allowed_mentions: { parse: [] },
      }
    case 'teams':
      return teamsCard(line, alert)
    case 'pagerduty':
      return {
        routing_key: url.searchParams.get('routing_key'),
        event_action: isOpen ? 'trigger' : 'resolve',
        // Two installations may share a routing key, and both count from 1.
        dedup_key: `gone-${alert.id}-${alert.openedAt}`,
        payload: {
          summary: line.slice(0, MAX_SUMMARY).toWellFormed(),
          source: alert.system,
          severity: 'error',
          timestamp: alert.updatedAt,
          component: alert.name,
          class: alert.kind,
          custom_details: alert,
        },
      }
    case 'ntfy':
      return {
        topic: topicIn(url.pathname),
        title: `${alert.system}/${alert.name} ${alert.kind}`,
        message: line,
        tags: [isOpen ? 'rotating_light' : 'white_check_mark'],
        priority: isOpen ? 4 : 3,
      }
    case 'template':
      return filled(JSON.parse(template), fieldsOf(news))
  }
}

/** What is wrong, or right again, in one line for people. */
function lineOf({ event, alert }: AlertNewsJson): string {
  const { system, name, kind, detail, resolution, count, lastSlot } = alert
  const what = `${system}/${name}: ${kind}`
  const slots = count > 1 ? `, ${count} slots until ${lastSlot}` : `, slot ${lastSlot}`
  return visible(
    event === 'opened' ? `${what}${slots}: ${detail}` : `${what} is resolved: ${resolution ?? detail}`,
  )
}

const SLACK: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function factsOf(alert: AlertJson): readonly (readonly [string, string])[] {
  const { kind, firstSlot, lastSlot, count, lastRound } = alert
  return [
    ['kind', kind],
    ['slots', count > 1 ? `${count}, ${firstSlot} to ${lastSlot}` : lastSlot],
    ...(lastRound === undefined ? [] : ([['round', lastRound]] as const)),
  ]
}

function teamsCard(text: string, alert: AlertJson): object {
  const facts = factsOf(alert).map(([title, value]) => ({ title, value }))
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            { type: 'TextBlock', text, weight: 'Bolder', wrap: true },
            { type: 'FactSet', facts },
          ],
        },
      },
    ],
  }
}

function fieldsOf(news: AlertNewsJson): Fields {
  const { id, event, alert } = news
  const { system, name, kind, state, firstSlot, lastSlot, lastRound = '', detail, resolution = '' } = alert
  const { openedAt, updatedAt } = alert
  const [alertId, count, text] = [alert.id, String(alert.count), lineOf(news)]
  const said = { id, event, alertId, system, name, kind, state, count, firstSlot, lastSlot, lastRound }
  return { ...said, detail, resolution, openedAt, updatedAt, text }
}

/** The same with each name in braces replaced in its texts, so that nothing that is put in becomes more than text. */
function filled(node: unknown, fields: Fields): unknown {
  if (typeof node === 'string')
    return node.replace(FIELD, (whole, name: string) => fields[name as keyof Fields] ?? whole)
  if (Array.isArray(node)) return node.map((item) => filled(item, fields))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, filled(value, fields)]))
}

function topicIn(path: string): string {
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
}
