import { DEATH_CAUSES, type MemorySample } from '../../core/fleet/death.ts'
import type {
  DeathJson,
  FleetEventJson,
  FleetEventsJson,
  InstanceJson,
  InstanceWorkerJson,
  JobInHandJson,
  OrderJson,
  TopologyJson,
} from '../../core/fleet/fleet-wire.ts'
import { INSTANCE_STATES } from '../../core/fleet/instance.ts'
import { ORDER_VERBS, OUTCOMES } from '../../core/fleet/order.ts'
import { PRESSURES } from '../../core/fleet/pressure.ts'
import type { FleetCount } from '../../core/fleet/topology.ts'
import type { SettingsTaken } from '../../core/fleet/worker-settings.ts'
import {
  about,
  choice,
  instant,
  integer,
  listOf,
  objectOf,
  optional,
  type Shape,
  text,
  truth,
} from '../../core/shape.ts'
import { NEXT } from './round-shapes.ts'
import { NOW } from './schedule-shapes.ts'

export const SETTINGS_TAKEN = objectOf<SettingsTaken>('SettingsTaken', {
  revision: integer(),
  refused: optional(text()),
})

const WORKER = objectOf<InstanceWorkerJson>('InstanceWorker', {
  name: text(),
  slots: about('How many jobs it may run at once.', integer()),
  running: integer(),
  done: about('Since its start, as `failed`.', integer()),
  failed: integer(),
  lastTaken: optional(about('When it last took a job.', instant())),
  settings: optional(
    about('Of what is set from one place: the revision that it has, or has refused.', SETTINGS_TAKEN),
  ),
})

const DEATH = objectOf<DeathJson>('Death', {
  cause: about(
    'Why it ended: by itself or by a signal from outside (`crash`), or by its supervisor, and for what.',
    choice(DEATH_CAUSES),
  ),
  detail: about('What that most likely means.', text()),
  exitCode: optional(integer()),
  signal: optional(text()),
  livedMs: integer(),
  lines: about('The last that it printed, up to 50 lines of 1,000 characters.', listOf(text())),
  memory: about(
    'How much it had, in the five minutes before.',
    listOf(objectOf<MemorySample>('MemorySample', { agoMs: integer(), rssBytes: integer() })),
  ),
  jobs: about(
    'What it ran, and what went back to its queue so that others run it.',
    listOf(objectOf<DeathJson['jobs'][number]>('LeftJob', { worker: text(), system: text(), round: text() })),
  ),
})

const JOB_IN_HAND = objectOf<JobInHandJson>('JobInHand', {
  worker: text(),
  system: text(),
  round: text(),
  since: about('When it was taken.', instant()),
})

export const INSTANCE = objectOf<InstanceJson>('Instance', {
  id: about('New at each start.', text()),
  state: choice(INSTANCE_STATES),
  workers: listOf(WORKER),
  release: text(),
  region: text(),
  host: text(),
  pid: integer(),
  version: about('Of gone.', text()),
  place: optional(about('Under a supervisor: which of its places it has.', text())),
  pressure: optional(
    about(
      'It is under pressure by this, and takes no jobs until that is over, whatever it was ordered.',
      choice(PRESSURES),
    ),
  ),
  startedAt: instant(),
  cpuPercent: optional(about('Of a core.', { schema: { type: 'number', minimum: 0 } })),
  rssBytes: optional(integer()),
  loopDelayMs: optional(about('The longest that its event loop kept a timer waiting, of late.', integer())),
  endedAt: optional(instant()),
  stuckSince: optional(about('Since when jobs wait, it has room, and it takes none.', instant())),
  jobs: optional(
    about(
      'What it runs now, where it is asked for by its id; of those that took theirs by HTTP nothing.',
      listOf(JOB_IN_HAND),
    ),
  ),
  death: optional(about('Of one that died, where it is asked for by its id: for a day.', DEATH)),
})

export const INSTANCE_ANSWER = objectOf<{ instance: InstanceJson; now: string }>('InstanceAnswer', {
  instance: INSTANCE,
  ...NOW,
})

/** Where to listen from. */
const AT = about('Where to listen on: the `after` of the fleet’s events.', text(), 'x1Yz.17')

export const INSTANCE_LIST = objectOf<{
  instances: readonly InstanceJson[]
  at: string
  now: string
  next?: string
}>('InstanceList', { instances: listOf(INSTANCE), at: AT, next: NEXT, ...NOW })

export const FLEET_EVENTS = objectOf<FleetEventsJson>('FleetEvents', {
  events: listOf(
    objectOf<FleetEventJson>('FleetEvent', {
      id: text(),
      instance: optional(about('As it is now; missing where it is not selected any more.', INSTANCE)),
    }),
  ),
  at: AT,
  reset: optional(
    about('Changes in between are not kept any more: list the instances anew, and listen from there.', {
      schema: { const: true },
    }),
  ),
  ...NOW,
})

const STATE_COUNTS: Shape<FleetCount['states']> = {
  schema: {
    type: 'object',
    description: 'How many instances are in which state.',
    additionalProperties: integer().schema,
  },
}

const COUNT_MEMBERS = {
  instances: integer(),
  states: STATE_COUNTS,
  slots: about('How many jobs those that take any may run at once.', integer()),
  running: integer(),
}

const COUNT = objectOf<FleetCount>('FleetCount', { name: text(), ...COUNT_MEMBERS })

/** How many instances there are, by region and host, worker, and release. */
export const TOPOLOGY = objectOf<TopologyJson>('Topology', {
  ...COUNT_MEMBERS,
  regions: listOf(
    objectOf<TopologyJson['regions'][number]>('RegionCount', {
      name: text(),
      ...COUNT_MEMBERS,
      hosts: listOf(COUNT),
    }),
  ),
  workers: listOf(COUNT),
  releases: listOf(COUNT),
  ...NOW,
})

export const ORDER = objectOf<OrderJson>('Order', {
  id: text(),
  do: choice(ORDER_VERBS),
  worker: optional(text()),
  slots: optional(integer(1)),
  actor: about('The key that gave it, or the address.', text()),
  reason: text(),
  selection: about('As it was asked for.', text()),
  givenAt: instant(),
  until: about('Nobody obeys it from then on.', instant()),
  outcomes: about('How many instances are where.', {
    schema: { type: 'object', additionalProperties: integer().schema },
  }),
  instances: listOf(
    objectOf<OrderJson['instances'][number]>('OrderOutcome', {
      id: text(),
      outcome: choice(OUTCOMES),
      at: instant(),
      detail: optional(text()),
    }),
  ),
})

export const ORDER_ANSWER = objectOf<{ order: OrderJson; now: string }>('OrderAnswer', {
  order: ORDER,
  ...NOW,
})

/** Whom an order would reach. */
export const ORDER_PLAN = objectOf<{ instances: readonly InstanceJson[]; now: string }>('OrderPlan', {
  instances: listOf(INSTANCE),
  ...NOW,
})

export const ORDER_LIST = objectOf<{ orders: readonly OrderJson[]; now: string; next?: string }>(
  'OrderList',
  {
    orders: listOf(ORDER),
    next: NEXT,
    ...NOW,
  },
)

export interface OrderBody {
  readonly do: string
  readonly select?: object
  readonly all?: boolean
  readonly count?: number
  readonly instances?: readonly string[]
  readonly worker?: string
  readonly slots?: number
  readonly reason?: string
  readonly within?: string
  readonly atOnce?: boolean
  readonly dryRun?: boolean
}

export const ORDER_BODY = objectOf<OrderBody>('OrderBody', {
  do: choice(ORDER_VERBS),
  select: optional(
    about(
      'Which instances: texts of names and `*` by field, as the query of the list.',
      {
        schema: { type: 'object', additionalProperties: { type: 'string' } },
      },
      { worker: 'mailer' },
    ),
  ),
  all: optional(about('In place of select: all that there are.', truth())),
  count: optional(about('How many instances the asker was shown. Others are not told: 409.', integer(1))),
  instances: optional(
    about(
      'Which those were, by their ids. Where another is selected by now, nobody is told: 409.',
      listOf(text()),
    ),
  ),
  worker: optional(about('For concurrency: of which worker; default the only one.', text())),
  slots: optional(about('For concurrency: how many jobs at once.', integer(1))),
  reason: optional(text({ maxLength: 1_000 })),
  within: optional(about('How long it may be obeyed, 1s to 1h. Default 60s.', text(), '60s')),
  atOnce: optional(about('It may take away more than half of what serves a worker.', truth())),
  dryRun: optional(about('Only answer whom it would reach.', truth())),
})
