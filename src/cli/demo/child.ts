import { removeDataDir } from './data-dir.ts'
import type { Order, Orders, Told } from './protocol.ts'

/** What a forked process of the demo does whatever its part is: begins when told to, and ends with the demo. */
export function liveAsChild(dataDir: string, begin: (orders: Orders) => void): void {
  // A Ctrl-C in the terminal reaches this process too; when to end is the demo's to say.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => {
    // The demo was killed. What it would have removed is removed by those that are left.
    removeDataDir(dataDir)
    process.exit()
  })
  process.on('message', (order: Order) => {
    if (order.kind === 'end') process.exit()
    begin(order)
  })
  tell({ kind: 'ready' })
}

export function tell(told: Told): void {
  // The demo may be gone, and then `disconnect` is on its way.
  process.send?.(told, undefined, undefined, () => {})
}
