import { jsonBody } from './console.ts'

/** What turns to markup, a formula or another direction where somebody takes it for more than text. */
export const ODD = '=cmd()<img\'onerror=document.title="run"&lt;👍🏽'
/** No name takes what turns the direction of text, or joins; texts do. */
export const ODDER = `${ODD}‮abc‬👩‍👧<img src=x onerror=document.title="run">`

interface Place {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A page of the console, and a text that it shows once it has what it asks for. */
export interface Shown {
  readonly path: string
  readonly text: string
}

/** Makes one of each that the console has a page for, under odd names where a name may be odd; the pages. */
export async function fillConsole({ url, headers = {} }: Place): Promise<readonly Shown[]> {
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${url}/api/v1/${path}`, { ...init, headers: { ...init.headers, ...headers } })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json().catch(() => undefined)) as { readonly id?: string } | undefined
  }
  const odd = encodeURIComponent(ODD)
  await ask(`elect/odd/${odd}`, { method: 'POST', headers: { 'gone-name': '<b>me</b>' } })
  await ask(`fail/odd/${odd}`, jsonBody({ reason: ODDER }))
  await ask('elect/odd/led?deadline=1d', { method: 'POST' })
  await ask(
    `schedules/odd/${odd}`,
    jsonBody({ cron: '0 2 * * *', job: { worker: 'nobody', data: ODDER } }, 'PUT'),
  )
  await ask(`expectations/odd/${odd}`, jsonBody({ every: '1d', grace: '1m' }, 'PUT'))
  const worker = { name: 'mailer', slots: 4, running: 1, done: 3, failed: 1 }
  const instance = { id: 'mail-1', host: 'eu-a', region: 'eu', release: '41', pid: 1, workers: [worker] }
  await ask('fleet/pulse', jsonBody({ ...instance, cpuPercent: 1, rssBytes: 1e8, loopDelayMs: 1 }))
  await ask('submit/odd/job', jsonBody({ worker: 'mailer', region: 'eu', data: { [ODDER]: ODDER } }))
  const pool = { instances: 3, workers: ['mailer'], region: 'eu', release: '41', reason: ODDER }
  await ask('fleet/pools/mail', jsonBody(pool, 'PUT'))
  const order = await ask(
    'fleet/orders',
    jsonBody({ do: 'unregister', all: true, count: 1, atOnce: true, reason: ODDER }),
  )
  return [
    { path: '/', text: ODD },
    { path: '/rounds?system=odd', text: ODD },
    { path: `/rounds/odd/${odd}`, text: 'under fence' },
    { path: '/rounds/odd/job', text: 'to the worker mailer, in eu while' },
    { path: '/schedules', text: 'at 02:00' },
    { path: `/schedules/odd/${odd}`, text: 'What comes' },
    { path: `/schedules/odd/${odd}/edit`, text: 'What it would do' },
    { path: '/alerts', text: 'Expected of systems' },
    { path: `/expectations/odd/${odd}`, text: ODD },
    { path: '/fleet', text: 'eu-a' },
    { path: '/fleet/instances/mail-1', text: 'eu-a' },
    { path: '/fleet/workers/mailer', text: 'Instances' },
    { path: '/fleet/pools/mail', text: 'onerror' },
    ...(order?.id === undefined ? [] : [{ path: `/fleet/orders/${order.id}`, text: 'onerror' }]),
    { path: '/keys', text: headers.authorization === undefined ? 'No keys' : 'You: key' },
  ]
}
