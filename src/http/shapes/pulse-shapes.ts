import { ORDER_VERBS } from '../../core/fleet/order.ts'
import type { PulseBody, PulseJson } from '../../core/fleet/pulse-wire.ts'
import {
  about,
  choice,
  duration,
  integer,
  listOf,
  objectOf,
  optional,
  text,
  truth,
} from '../../core/shape.ts'
import { SETTINGS } from './config-shapes.ts'
import { SETTINGS_TAKEN } from './fleet-shapes.ts'
import { NOW } from './schedule-shapes.ts'

const WORKER = objectOf<PulseBody['workers'][number]>('PulseWorker', {
  name: text(),
  slots: optional(about('How many jobs it runs at once. Default 1.', integer(1))),
  running: optional(about('How many it runs now.', integer())),
  done: optional(about('Since its start, as `failed`.', integer())),
  failed: optional(integer()),
  taken: optional(about('How long ago it last took a job.', duration(), '1500ms')),
  settings: optional(
    about('Of what is set from one place: the revision that it has, or has refused and why.', SETTINGS_TAKEN),
  ),
})

const REPORT = objectOf<NonNullable<PulseBody['reports']>[number]>('OrderReport', {
  order: about('Its id.', text()),
  outcome: choice(['done', 'failed']),
  detail: optional(text()),
})

export const PULSE_BODY = objectOf<PulseBody>('PulseBody', {
  id: about('New at each start: letters, digits, "_" and "-".', text(), 'py-7f9c'),
  host: about('On what host it runs.', text(), 'eu-a'),
  workers: listOf(WORKER),
  mode: optional(
    about(
      '`unregistered`: it takes no jobs; `ended`: it is no more.',
      choice(['registered', 'unregistered', 'stopping', 'ended']),
      'registered',
    ),
  ),
  release: optional(text()),
  region: optional(text()),
  regional: optional(
    about('It takes with `region=`: jobs for its region are kept for it and its like.', truth(), true),
  ),
  pid: optional(integer()),
  version: optional(about('Of what it speaks by.', text())),
  cpuPercent: optional(about('Of a core.', integer())),
  rssBytes: optional(integer()),
  loopDelayMs: optional(integer()),
  reports: optional(listOf(REPORT)),
})

export const PULSE_ANSWER = objectOf<PulseJson>('PulseAnswer', {
  orders: listOf(
    objectOf<PulseJson['orders'][number]>('PulseOrder', {
      id: text(),
      do: choice(ORDER_VERBS),
      worker: optional(text()),
      slots: optional(integer(1)),
    }),
  ),
  settings: optional(
    about(
      'What is set of its workers from one place, where that is not the revision that it has. Empty: nothing is set any more.',
      listOf(
        objectOf<NonNullable<PulseJson['settings']>[number]>('PulseSettings', {
          worker: text(),
          revision: integer(1),
          settings: SETTINGS,
        }),
      ),
    ),
  ),
  every: about('When to say it again.', duration(), '2s'),
  ...NOW,
})
