import type { RoundQueue } from '../../src/core/rounds/round-ports.ts'
import { roundJobOf } from '../../src/queue/round-job.ts'
import { orLater } from '../../src/service/or-later.ts'
import type { Board, BoardParts } from '../../src/service/rounds/board.ts'

/** A board that is told before the answer, where there is no time to pass. */
export function directBoard({ records, queue, log }: BoardParts): Pick<Board, 'tell'> {
  return {
    async tell(seen, step) {
      await orLater(log, {}, 'rounds not shown', async () => {
        if ((await queue.show([seen]))[0]) records.acknowledge(seen.id, step, seen)
      })
    },
  }
}

/** A round queue that notes what it is told, as `08:15 completed`, and fails while it is told to. */
export function notedRounds() {
  const told: string[] = []
  const trouble = { isDown: false }
  const rounds: RoundQueue = {
    async show(seen) {
      if (trouble.isDown) throw new Error('queue down')
      told.push(...seen.map((one) => `${one.id.round} ${roundJobOf(one).as}`))
      return seen.map(() => true)
    },
    counts: async () => ({}),
  }
  return { rounds, told, trouble }
}
