import type { Fleet } from '../../core/fleet/fleet-ports.ts'
import { settingsFor, type TargetSettings, termsIn } from '../../core/fleet/worker-settings.ts'
import type { UsualTerms } from '../../core/rounds/job.ts'

/** What is set is to hold within a second, and to be read no more often. */
const READ_EVERY_MS = 500
/** No instance has it: who takes a job over HTTP need not say which it is. */
const NO_INSTANCE = ''

/** What is set of workers from one place, for servers that act on it. */
export class SettingsNow {
  private readAtMs = Number.NEGATIVE_INFINITY
  private all: Promise<readonly TargetSettings[]> = Promise.resolve([])

  /** @param nowMs a clock that never goes back */
  constructor(
    private readonly fleet: Pick<Fleet, 'settings'>,
    private readonly nowMs: () => number,
  ) {}

  /**
   * @param instance what is set of it goes before
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  async usualTermsOf(worker: string, instance = NO_INSTANCE): Promise<UsualTerms> {
    const { settings } = settingsFor(await this.read(), instance, worker)
    const { concurrency: _, ...terms } = termsIn(settings)
    return terms
  }

  private read(): Promise<readonly TargetSettings[]> {
    if (this.nowMs() - this.readAtMs < READ_EVERY_MS) return this.all
    this.readAtMs = this.nowMs()
    this.all = this.fleet.settings().then(({ all }) => all)
    this.all.catch(() => {
      this.readAtMs = Number.NEGATIVE_INFINITY
    })
    return this.all
  }
}
