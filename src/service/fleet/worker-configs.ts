import type { Fleet, Pokes } from '../../core/fleet/fleet-ports.ts'
import type { SettingsTarget, TargetSettings, WorkerSettings } from '../../core/fleet/worker-settings.ts'
import { canonicalJson } from '../../core/rounds/job.ts'
import { GoneError } from '../../errors.ts'

export interface SettingsAsked {
  readonly actor: string
  readonly reason: string
}

/** What is set of workers from one place. Whoever runs one hears of it at once, or by its next pulse. */
export class WorkerConfigs {
  constructor(
    private readonly fleet: Fleet,
    private readonly pokes: Pokes,
  ) {}

  list(): ReturnType<Fleet['settings']> {
    return this.fleet.settings()
  }

  /** @throws GoneError `NO_SUCH_SETTINGS` */
  async get(target: SettingsTarget): Promise<{ readonly found: TargetSettings; readonly nowMs: number }> {
    const { all, nowMs } = await this.fleet.settings()
    const found = all.find(({ of, name }) => of === target.of && name === target.name)
    if (found) return { found, nowMs }
    throw new GoneError('NO_SUCH_SETTINGS', `${target.of} ${target.name}: nothing was ever set of it`)
  }

  /**
   * Sets it as a whole.
   *
   * @param settings null: what the file says is to hold again
   * @throws GoneError `STORE_UNAVAILABLE`, `TOO_MANY_SETTINGS`
   */
  async set(
    target: SettingsTarget,
    settings: WorkerSettings | null,
    asked: SettingsAsked,
  ): Promise<{ readonly found: TargetSettings; readonly nowMs: number }> {
    const isSet = await this.fleet.configure(target, { ...asked, settings })
    if (!isSet)
      throw new GoneError('TOO_MANY_SETTINGS', 'settings: there are as many as there may be; take some away')
    // Who does not hear of it asks within two seconds.
    await this.pokes.poke(['*']).catch(() => undefined)
    return this.get(target)
  }

  /**
   * Sets again what was set before the last change, or under that revision.
   *
   * @throws GoneError `NO_SUCH_SETTINGS` where that is not kept
   */
  async rollBack(
    target: SettingsTarget,
    to: number | undefined,
    asked: SettingsAsked,
  ): Promise<{ readonly found: TargetSettings; readonly nowMs: number }> {
    const { found } = await this.get(target)
    // A set that was sent again, after its answer was lost, has made a second revision, which is no change.
    const now = canonicalJson(found.revisions[0]?.settings)
    const meant = found.revisions.find(({ revision, settings }) =>
      to === undefined ? canonicalJson(settings) !== now : revision === to,
    )
    if (meant === undefined && to !== undefined)
      throw new GoneError('NO_SUCH_SETTINGS', `${target.of} ${target.name}: revision ${to} is not kept`)
    return this.set(target, meant?.settings ?? null, asked)
  }
}
