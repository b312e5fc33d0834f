import { Agent, request } from 'node:http'
import type { RoundJson } from '../src/core/rounds/round-wire.ts'
import { pause } from '../src/waiting.ts'
import type { Operation, Recorder, Return } from './history.ts'

export interface Ask {
  readonly token?: string
  readonly fence?: number
  readonly leaseMs?: number
  readonly waitMs?: number
  readonly deadlineMs?: number
  readonly reason?: string
  readonly body?: object
  readonly isFinal?: true
}

/** What the recorder needs of whoever writes the history. */
export type Pen = Pick<Recorder, 'invoke' | 'return'>

const GETS: readonly Operation[] = ['round', 'elected', 'completed']
const ANSWER_WITHIN_MS = 3_000
const RETRY_MS = 100

/** Calls one facade over HTTP, and writes each call and how it ended into the history. */
export class Caller {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })
  private readonly to: string

  constructor(
    private readonly pen: Pen,
    readonly url: string,
    readonly system: string,
  ) {
    this.to = new URL(url).host
  }

  async call(op: Operation, round: string, ask: Ask = {}): Promise<Return> {
    const { token, fence, leaseMs, waitMs, isFinal } = ask
    const call = this.pen.invoke({
      op,
      system: this.system,
      round,
      to: this.to,
      ...(token !== undefined && { token }),
      ...(fence !== undefined && { fence }),
      ...(leaseMs !== undefined && { leaseMs }),
      ...(waitMs !== undefined && { waitMs }),
      ...(isFinal && { isFinal }),
    })
    try {
      return this.pen.return({ call, ...(await this.send(op, round, ask)) })
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'NO_ANSWER'
      // Refused connections have sent nothing.
      return this.pen.return({ call, result: code === 'ECONNREFUSED' ? 'fail' : 'unknown', code })
    }
  }

  elect(round: string, ask?: Ask): Promise<Return> {
    return this.call('elect', round, ask)
  }

  /** Asks until it is answered, as the protocol says: with the same token. */
  electUntilTold(round: string, ask: Ask & { readonly token: string }): Promise<Return> {
    return this.askUntilTold('elect', round, ask)
  }

  async askUntilTold(op: Operation, round: string, ask: Ask, tries = 60): Promise<Return> {
    for (let left = tries; ; left -= 1) {
      const answer = await this.call(op, round, ask)
      const isTold = answer.result === 'ok' || (answer.result === 'fail' && answer.status !== undefined)
      if (isTold || left <= 1) return answer
      await pause(RETRY_MS)
    }
  }

  close(): void {
    this.agent.destroy()
  }

  private send(op: Operation, round: string, ask: Ask): Promise<Omit<Return, 'kind' | 'atMs' | 'call'>> {
    const { hostname, port } = new URL(this.url)
    const body = ask.body && JSON.stringify(ask.body)
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          hostname,
          port,
          agent: this.agent,
          method: GETS.includes(op) ? 'GET' : 'POST',
          path: pathOf(op, this.system, round, ask),
          headers: {
            ...(ask.token !== undefined && { 'gone-candidate': ask.token }),
            ...(ask.fence !== undefined && { 'gone-fence': ask.fence }),
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          timeout: ANSWER_WITHIN_MS + (ask.waitMs ?? 0),
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          response.once('error', reject)
          response.once('end', () => resolve(answerOf(op, response.statusCode ?? 0, response.headers, text)))
        },
      )
      sent.once('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })))
      sent.once('error', reject)
      sent.end(body)
    })
  }
}

function pathOf(op: Operation, system: string, round: string, ask: Ask): string {
  const query = new URLSearchParams()
  if (ask.leaseMs !== undefined) query.set('lease', `${ask.leaseMs}ms`)
  if (ask.waitMs !== undefined) query.set('wait', `${ask.waitMs}ms`)
  if (ask.deadlineMs !== undefined) query.set('deadline', `${ask.deadlineMs}ms`)
  if (ask.reason !== undefined) query.set('reason', ask.reason)
  const name = op === 'round' ? 'rounds' : op
  const tail = query.size > 0 ? `?${query}` : ''
  return `/api/v1/${name}/${encodeURIComponent(system)}/${encodeURIComponent(round)}${tail}`
}

function answerOf(
  op: Operation,
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  text: string,
): Omit<Return, 'kind' | 'atMs' | 'call'> {
  const result = status >= 500 ? 'unknown' : status >= 400 ? 'fail' : 'ok'
  const { 'gone-leader': leader, 'gone-fence': fence, 'gone-state': state } = headers
  const isJson = String(headers['content-type'] ?? '').includes('json')
  const json = isJson ? (JSON.parse(text) as RoundJson & { code?: string }) : undefined
  return {
    result,
    status,
    ...(typeof leader === 'string' && { leader }),
    ...(typeof fence === 'string' && { fence: Number(fence) }),
    ...(typeof state === 'string' && { state }),
    ...(json?.code !== undefined && { code: json.code }),
    ...(result === 'ok' && json && { record: json }),
    ...(op.endsWith('ed') && !isJson && status === 200 && { text }),
  }
}
