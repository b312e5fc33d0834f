import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import type { ScheduleJson } from '../../src/core/schedules/schedule-wire.ts'

/** When the slot that a round is named by was due. */
export const dueMs = ({ round }: Pick<RoundJson, 'round'>) => Date.parse(round.replace(/^[^@]*@/, ''))

/** Calls a server about schedules of the system `shop`. */
export interface ScheduleCalls {
  put(name: string, body: object): Promise<{ readonly status: number; readonly json: ScheduleJson }>
  call(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly json: never }>
  get(name: string): Promise<ScheduleJson>
  /** All rounds of the schedule there are, oldest slot first. */
  rounds(name: string): Promise<readonly RoundJson[]>
  metric(line: string): Promise<number>
}

export function callSchedules(url: string): ScheduleCalls {
  async function call(method: string, path: string, body?: object) {
    const reply = await fetch(`${url}/api/v1/schedules/shop/${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await reply.text()
    return { status: reply.status, json: (text ? JSON.parse(text) : undefined) as never }
  }
  return {
    call,
    put: (name, body) => call('PUT', name, body),
    async get(name) {
      const { status, json } = await call('GET', name)
      if (status !== 200) throw new Error(`GET ${name}: ${status} ${JSON.stringify(json)}`)
      return json
    },
    async rounds(name) {
      const found: RoundJson[] = []
      let cursor: string | undefined
      do {
        const query = `system=shop&limit=1000${cursor ? `&cursor=${cursor}` : ''}`
        const page = (await (await fetch(`${url}/api/v1/rounds?${query}`)).json()) as {
          rounds: RoundJson[]
          next?: string
        }
        found.push(...page.rounds.filter(({ round }) => round.startsWith(`${name}@`)))
        cursor = page.next
      } while (cursor)
      return found.sort((a, b) => (a.round < b.round ? -1 : 1))
    },
    async metric(line) {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(
        text
          .split('\n')
          .find((each) => each.startsWith(`${line} `))
          ?.split(' ')[1],
      )
    },
  }
}
