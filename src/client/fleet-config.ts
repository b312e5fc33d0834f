import type { SettingsTarget, TargetSettingsJson, WorkerSettings } from '../core/fleet/worker-settings.ts'
import { ask, type CallOptions } from './ask.ts'
import { outcomeOf } from './outcome.ts'
import { segmentOf } from './segment.ts'
import type { Reply, TransportOptions } from './transport.ts'

interface ReasonOptions extends CallOptions {
  readonly reason?: string
}

/** What workers are configured with from one place: `{ of: 'worker', name: 'mailer' }`, or an instance by its id. */
export interface ConfigCalls {
  list(options?: CallOptions): Promise<readonly TargetSettingsJson[]>
  /** Undefined: nothing was ever set of it. */
  get(target: SettingsTarget, options?: CallOptions): Promise<TargetSettingsJson | undefined>
  /** Sets it as a whole: what is left out is as the worker's file says. */
  put(target: SettingsTarget, settings: WorkerSettings, options?: ReasonOptions): Promise<TargetSettingsJson>
  /** Lets the file of the worker hold again. */
  remove(target: SettingsTarget, options?: ReasonOptions): Promise<TargetSettingsJson>
  /** Sets again what was set before the last change, or under the revision `to`. A call whose answer got lost is not repeated. */
  rollBack(
    target: SettingsTarget,
    options?: ReasonOptions & { readonly to?: number },
  ): Promise<TargetSettingsJson>
}

const PATH = '/api/v1/fleet/config'

export function configOn(transport: TransportOptions): ConfigCalls {
  const pathOf = ({ of, name }: SettingsTarget) => `${PATH}/${of}/${segmentOf('name', name)}`
  const asked = async (question: Omit<Parameters<typeof ask>[1], 'answers'>) =>
    ((await ask(transport, { ...question, answers: 'settings' })).json as { settings: TargetSettingsJson })
      .settings
  return {
    async list({ signal } = {}) {
      const { json } = await ask(transport, { path: PATH, answers: 'settings', signal })
      return (json as { settings: readonly TargetSettingsJson[] }).settings
    },
    async get(target, { signal } = {}) {
      const none = outcomeOf<Pick<Reply, 'json'>>({ NO_SUCH_SETTINGS: () => ({ json: undefined }) })
      const question = { path: pathOf(target), answers: 'settings', signal }
      const { json } = await ask(transport, question).catch(none)
      return (json as { settings: TargetSettingsJson } | undefined)?.settings
    },
    put: (target, settings, { reason, signal } = {}) =>
      asked({
        method: 'PUT',
        path: pathOf(target),
        body: { ...settings, ...(reason !== undefined && { reason }) },
        signal,
      }),
    remove: (target, { reason, signal } = {}) =>
      asked({ method: 'DELETE', path: pathOf(target), query: { reason }, signal }),
    rollBack: (target, { reason, to, signal } = {}) =>
      asked({
        method: 'POST',
        path: `${pathOf(target)}/rollback`,
        query: { reason, to: to === undefined ? undefined : String(to) },
        isRepeatable: false,
        signal,
      }),
  }
}
