import { ALERT_KINDS, ALERT_STATES } from '../../core/alerts/alert.ts'
import type {
  AlertJson,
  ExpectationBody,
  ExpectationJson,
  ExpectedSlotJson,
} from '../../core/alerts/alert-wire.ts'
import { MAX_REPLICAS } from '../../core/alerts/expectation-body.ts'
import {
  about,
  choice,
  duration,
  instant,
  integer,
  listOf,
  objectOf,
  optional,
  text,
  truth,
} from '../../core/shape.ts'
import { STATES } from '../parameters.ts'
import { NEXT } from './round-shapes.ts'
import { DST, NOW, TIMING_MEMBERS } from './schedule-shapes.ts'

const BODY_MEMBERS = {
  ...TIMING_MEMBERS,
  grace: about('How long after its time a round may come before it is missed, 1s to 7d.', duration(), '5m'),
  late: optional(about('After how long it is late. Default: after the grace.', duration(), '30s')),
  replicas: optional(
    about(
      'How many distinct candidates must ask for it by the end of the grace. Default: they are not counted.',
      integer(1, MAX_REPLICAS),
      3,
    ),
  ),
}

/** What is put. */
export const EXPECTATION_BODY = objectOf<ExpectationBody>('ExpectationBody', BODY_MEMBERS)

const LISTED_MEMBERS = {
  ...BODY_MEMBERS,
  system: text(),
  name: text(),
  tz: text(),
  dst: DST,
  createdAt: instant(),
  updatedAt: instant(),
}

export const EXPECTATION = objectOf<ExpectationJson>('Expectation', { ...LISTED_MEMBERS, ...NOW })

interface ExpectationListJson {
  readonly expectations: readonly Omit<ExpectationJson, 'now'>[]
  readonly now: string
  readonly next?: string
}

export const EXPECTATION_LIST = objectOf<ExpectationListJson>('ExpectationList', {
  expectations: listOf(objectOf<Omit<ExpectationJson, 'now'>>('ListedExpectation', LISTED_MEMBERS)),
  next: NEXT,
  ...NOW,
})

interface ExpectedSlotsJson {
  readonly slots: readonly ExpectedSlotJson[]
  readonly now: string
}

export const EXPECTED_SLOTS = objectOf<ExpectedSlotsJson>('ExpectedSlots', {
  slots: listOf(
    objectOf<ExpectedSlotJson>('ExpectedSlot', {
      slot: text(),
      at: about('When it was due.', instant()),
      round: optional(about('The round that came for it.', text())),
      state: optional(choice(STATES)),
      cameAt: optional(instant()),
      wrong: about('What is wrong with it.', listOf(choice(ALERT_KINDS))),
      isOpen: about('True as long as what happens may change that.', truth()),
      candidates: optional(
        about('What those are called who asked for it, where they are counted.', listOf(text())),
      ),
    }),
  ),
  ...NOW,
})

const ALERT = objectOf<AlertJson>('Alert', {
  id: text(),
  system: text(),
  name: about("The expectation's or the schedule's.", text()),
  kind: choice(ALERT_KINDS),
  state: choice(ALERT_STATES),
  openedAt: instant(),
  updatedAt: instant(),
  count: about('How many slots have shown it.', integer()),
  firstSlot: text(),
  lastSlot: text(),
  lastRound: optional(text()),
  detail: about('What is wrong with the last bad slot, for people.', text()),
  resolvedAt: optional(instant()),
  resolution: optional(about('What resolved it, for people.', text())),
})

export const ALERT_LIST = objectOf<{ alerts: readonly AlertJson[]; now: string; next?: string }>(
  'AlertList',
  {
    alerts: listOf(ALERT),
    next: NEXT,
    ...NOW,
  },
)
