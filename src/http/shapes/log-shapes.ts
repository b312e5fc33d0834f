import { LOG_LEVELS } from '../../core/fleet/log-level.ts'
import type { FleetLogJson, LogLineJson } from '../../core/fleet/log-wire.ts'
import { about, choice, instant, integer, listOf, objectOf, optional, text } from '../../core/shape.ts'
import { NOW } from './schedule-shapes.ts'

const TRUE = { schema: { const: true } } as const

/** What instances have printed. */
export const FLEET_LOG = objectOf<FleetLogJson>('FleetLog', {
  lines: about(
    'By time; those of one instance as it has printed them.',
    listOf(
      objectOf<LogLineJson>('LogLine', {
        instance: text(),
        at: instant(),
        text: about('Up to 4,096 characters of it.', text()),
        error: optional(about('Printed to stderr.', TRUE)),
        level: optional(about('Where the line says one.', choice(LOG_LEVELS), 'warn')),
      }),
    ),
  ),
  dropped: about(
    'Of which instances lines were left out that came before these, because they print more than is kept.',
    listOf(
      objectOf<FleetLogJson['dropped'][number]>('LogDropped', {
        instance: text(),
        lines: optional(about('How many, where that is known.', integer(1))),
      }),
    ),
  ),
  silent: about('Selected instances whose supervisor has not sent anything for 5 s.', listOf(text())),
  unread: about(
    'How many of the selected run without a supervisor, so that nobody reads what they print.',
    integer(),
  ),
  leftOut: about('How many of the selected were not asked: it is 250 at a time.', integer()),
  at: about('Where to read on: the `after` of the next request.', text(), 'x1Yz.17'),
  reset: optional(about('What `after` is of is lost: this is what is kept now.', TRUE)),
  ...NOW,
})
