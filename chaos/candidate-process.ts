// A replica as a process of its own: asks for every round, completes what it leads, and prints its history.
import { Caller, type Pen } from './caller.ts'
import { monotonicMs } from './history.ts'

const [name = '', rounds = '0', ...urls] = process.argv.slice(2)

let calls = 0
const print = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)
const pen: Pen = {
  invoke(call) {
    calls += 1
    print({ kind: 'invoke', atMs: monotonicMs(), call: calls, ...call })
    return calls
  },
  return(answer) {
    const event = { kind: 'return', atMs: monotonicMs(), ...answer } as const
    print(event)
    return event
  },
}

const callers = urls.map((url) => new Caller(pen, url, 'chaos'))
for (let n = 0; n < Number(rounds); n += 1) {
  const caller = callers[n % callers.length] as Caller
  const round = `round-${n}`
  const token = `${name}-${n}`
  const { status } = await caller.electUntilTold(round, { token })
  if (status === 202) await caller.call('complete', round, { token })
}
for (const caller of callers) caller.close()
