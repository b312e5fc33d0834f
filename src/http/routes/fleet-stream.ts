import type { Selection } from '../../core/fleet/selection.ts'
import type { FleetFollower, FleetMark } from '../../service/fleet/follower.ts'
import { type EventStream, NOTHING_NEW, SAY_SOMETHING_MS } from '../event-stream.ts'
import { eventText, textOf } from './fleet-events.ts'

interface Told {
  readonly follower: FleetFollower
  readonly selection: Selection
  /** From where on. */
  readonly mark: FleetMark
}

/** Tells one listener what changes, until it or the server goes. */
export async function streamEvents(stream: EventStream, told: Told): Promise<void> {
  const { follower, selection } = told
  let { mark } = told
  while (stream.isOpen) {
    const found = await follower.next(mark, SAY_SOMETHING_MS, stream.signal).catch(() => 'away' as const)
    // The store is away: the listener comes again, and goes on where it was.
    if (found === 'away') break
    if (found === undefined) {
      mark = await follower.latest().catch(() => mark)
      stream.send(`id: ${textOf(mark)}\nevent: reset\ndata: {}\n\n`)
      continue
    }
    mark = found.mark
    const events = found.changes.map((change) => {
      const id = textOf({ ...found.mark, change: change.number })
      return `id: ${id}\nevent: change\ndata: ${eventText(change, selection)}\n\n`
    })
    stream.send(events.length === 0 ? NOTHING_NEW : events.join(''))
  }
  stream.end()
}
