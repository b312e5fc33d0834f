import type { Log } from '../core/rounds/round-ports.ts'
import { endsWithin } from '../waiting.ts'

type List = (named: ReadonlySet<string>) => Promise<readonly string[]>

/** What a host gets is known so soon. */
const LISTED_FOR_MS = 2_000
/** A disk that does not answer is not waited for. */
const LISTED_WITHIN_MS = 2_000

/** What a host has, looked up anew once it is old. Where that fails, or hangs, it is what was found last. */
export class Listing {
  private found: readonly string[] = []
  private named: ReadonlySet<string> = new Set()
  private listing: Promise<unknown> | undefined
  private untilMs = 0
  private isTold = false

  constructor(
    private readonly list: List,
    private readonly log: Log,
    private readonly nowMs: () => number,
  ) {}

  /** @param named those that matter however old they are */
  async now(named: ReadonlySet<string>): Promise<readonly string[]> {
    const isKnown = this.nowMs() < this.untilMs && [...named].every((name) => this.named.has(name))
    if (!isKnown) await endsWithin(LISTED_WITHIN_MS, this.look(named))
    return this.found
  }

  /** One at a time: what hangs holds threads of this process. */
  private look(named: ReadonlySet<string>): Promise<unknown> {
    this.listing ??= this.list(named)
      .then((found) => {
        this.found = found
        this.named = named
        this.untilMs = this.nowMs() + LISTED_FOR_MS
        this.isTold = false
      })
      .catch((error: unknown) => {
        if (!this.isTold)
          this.log.warn({ cause: String(error) }, 'releases were not listed; those of before count')
        this.isTold = true
      })
      .finally(() => {
        this.listing = undefined
      })
    return this.listing
  }
}
