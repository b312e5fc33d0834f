import { ROLLOUT_STATES } from '../../core/fleet/pool.ts'
import type { PoolScale } from '../../core/fleet/pool-body.ts'
import {
  type PoolJson,
  type PoolPlaceJson,
  type PoolSpecJson,
  type PoolSupervisorJson,
  type PoolsJson,
  type RolloutJson,
  SHOWN_PLACE_STATES,
} from '../../core/fleet/pool-wire.ts'
import { about, choice, instant, integer, listOf, objectOf, optional, text, truth } from '../../core/shape.ts'
import { NOW } from './schedule-shapes.ts'

const SPEC = {
  instances: about('How many there shall be.', integer(0, 1_000), 6),
  workers: optional(about('Which workers each runs; default all of its folder or release.', listOf(text()))),
  region: optional(about('Only there: names and `*`, separated by commas.', text(), 'eu')),
  host: optional(about('Only there: names and `*`, separated by commas.', text(), 'eu-*')),
  release: optional(
    about('What of yours they run: a folder below the root that each host allows.', text(), '42'),
  ),
}

const REASON = optional(text({ maxLength: 1_000 }))

export const POOL_BODY = objectOf<PoolSpecJson & { reason?: string }>('PoolBody', { ...SPEC, reason: REASON })

export const DEPLOY_BODY = objectOf<{ release: string; reason?: string }>('DeployBody', {
  release: about('The name of a folder below the root of releases of each host.', text(), '42'),
  reason: REASON,
})

export const SCALE_BODY = objectOf<PoolScale & { reason?: string }>('ScaleBody', {
  instances: about('How many instances of it there shall be.', integer(0, 1_000), 8),
  count: optional(
    about(
      'How many the asker was shown. Where it has another number by now nothing is done: 409.',
      integer(0, 1_000),
    ),
  ),
  reason: REASON,
})

const ROLLOUT = objectOf<RolloutJson>('Rollout', {
  state: choice(ROLLOUT_STATES),
  from: optional(text()),
  to: optional(text()),
  startedAt: instant(),
  endedAt: optional(instant()),
  why: optional(about('Why it is rolled back.', text())),
})

const PLACE = objectOf<PoolPlaceJson>('PoolPlace', {
  place: about('As instances name it.', text(), 'mail/2'),
  host: text(),
  region: text(),
  release: optional(text()),
  state: about(
    '`failed`: what it was to run did not come up, and what was there before goes on; `lost`: so is its supervisor, and none other could take it.',
    choice(SHOWN_PLACE_STATES),
  ),
  why: optional(text()),
  since: about('When it was given to that supervisor, or what it runs was changed.', instant()),
})

const POOL = objectOf<PoolJson>('Pool', {
  name: text(),
  ...SPEC,
  working: about('How many of its places have an instance that works.', integer()),
  missing: about('How many places nobody has: no supervisor that may has room.', integer()),
  before: about('The releases that it ran before, the last one first.', listOf(text())),
  rollout: optional(about('The last change of what it runs.', ROLLOUT)),
  actor: about('The key that has set it, or the address.', text()),
  reason: text(),
  at: instant(),
  places: listOf(PLACE),
})

export const POOL_ANSWER = objectOf<{ pool: PoolJson; now: string }>('PoolAnswer', { pool: POOL, ...NOW })

export const POOL_LIST = objectOf<PoolsJson>('PoolList', {
  pools: listOf(POOL),
  supervisors: about(
    'Those that take places of pools.',
    listOf(
      objectOf<PoolSupervisorJson>('PoolSupervisor', {
        id: about('New at each start.', text()),
        host: text(),
        region: text(),
        isLost: truth(),
        most: about('How many places it takes.', integer()),
        places: about('How many it has.', integer()),
        releases: optional(about('That its host has.', listOf(text()))),
      }),
    ),
  ),
  ...NOW,
})
