import {
  SETTINGS_OF,
  type SettingsRevisionJson,
  type TargetSettingsJson,
  type WorkerSettings,
} from '../../core/fleet/worker-settings.ts'
import {
  about,
  anything,
  choice,
  duration,
  instant,
  integer,
  listOf,
  nullOr,
  objectOf,
  optional,
  text,
} from '../../core/shape.ts'
import { NOW } from './schedule-shapes.ts'

const MEMBERS = {
  concurrency: optional(about('How many jobs an instance runs at once.', integer(1, 10_000), 8)),
  attempts: optional(about('How many attempts a job has, where it does not say.', integer(1, 100))),
  timeout: optional(about('How long an attempt may take, where its job does not say.', duration())),
  backoff: optional(
    about(
      'What a new attempt waits, where its job does not say.',
      objectOf<NonNullable<WorkerSettings['backoff']>>('SetBackoff', {
        type: choice(['fixed', 'exponential']),
        delay: duration(),
      }),
    ),
  ),
  config: optional(about('What handlers read as `context.config`, any JSON up to 16 KiB.', anything())),
}

export const SETTINGS = objectOf<WorkerSettings>('WorkerSettings', MEMBERS)

export const SETTINGS_BODY = objectOf<WorkerSettings & { reason?: string }>('SettingsBody', {
  ...MEMBERS,
  reason: optional(text({ maxLength: 1_000 })),
})

const NULLABLE = nullOr(about('Null: nothing is set any more.', SETTINGS))

const TARGET = objectOf<TargetSettingsJson>('TargetSettings', {
  of: choice(SETTINGS_OF),
  name: text(),
  revision: about('A number that only grows.', integer(1)),
  settings: NULLABLE,
  revisions: listOf(
    objectOf<SettingsRevisionJson>('SettingsRevision', {
      revision: integer(1),
      at: instant(),
      actor: about('The key that set it, or the address.', text()),
      reason: text(),
      settings: NULLABLE,
    }),
  ),
})

export const SETTINGS_ANSWER = objectOf<{ settings: TargetSettingsJson; now: string }>('SettingsAnswer', {
  settings: TARGET,
  ...NOW,
})

export const SETTINGS_LIST = objectOf<{ settings: readonly TargetSettingsJson[]; now: string }>(
  'SettingsList',
  { settings: listOf(TARGET), ...NOW },
)
