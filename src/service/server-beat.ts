import type { Log } from '../core/rounds/round-ports.ts'
import type { ServerFacts, Servers } from '../core/servers.ts'
import type { Calm } from './calm.ts'
import { Loop, type Work } from './loop.ts'

interface ServerBeatParts {
  readonly servers: Servers
  /** Asked at each beat: where it listens is known once it does. */
  readonly self: () => ServerFacts
  readonly log: Log
}

const BEAT_EVERY_MS = 4_000
/** The same while it is calm: a server that has ended by itself is listed a little longer then. */
const CALM_BEAT_EVERY_MS = 11_000
const BEAT_AGAIN_MS = 1_000

/** Tells the other servers, and whoever asks for the status, that this one is there. */
export class ServerBeat implements Work {
  private readonly loop: Loop
  private hasBegun = false
  private calm: Calm | undefined

  constructor(private readonly parts: ServerBeatParts) {
    this.loop = new Loop({
      everyMs: () => (this.calm?.isNow ? CALM_BEAT_EVERY_MS : BEAT_EVERY_MS),
      againMs: BEAT_AGAIN_MS,
      work: () => parts.servers.beat(parts.self()),
      putOff: (cause) => parts.log.debug({ cause }, 'beat of this server put off'),
    })
  }

  /** Never rests: this server is there in the calm too. */
  start(calm?: Calm): void {
    this.calm = calm
    this.hasBegun = true
    this.loop.start()
  }

  async stop(): Promise<void> {
    await this.loop.stop()
    const { servers, self, log } = this.parts
    if (!this.hasBegun) return
    this.hasBegun = false
    // Where Redis is away it is forgotten by itself.
    await servers
      .leave(self())
      .catch((error: unknown) => log.debug({ cause: String(error) }, 'other servers not told of the end'))
  }
}
