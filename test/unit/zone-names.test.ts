import { describe, expect, it } from 'vitest'
import { Zone } from '../../src/core/time/zone.ts'

/** Of the IANA database 2025b, its links too: the names that have no "/". */
const WORDS = [
  ...[
    'CET',
    'CST6CDT',
    'Cuba',
    'EET',
    'EST',
    'EST5EDT',
    'Egypt',
    'Eire',
    'GB',
    'GB-Eire',
    'GMT',
    'GMT+0',
    'GMT-0',
    'GMT0',
  ],
  ...[
    'Greenwich',
    'HST',
    'Hongkong',
    'Iceland',
    'Iran',
    'Israel',
    'Jamaica',
    'Japan',
    'Kwajalein',
    'Libya',
    'MET',
    'MST',
    'MST7MDT',
  ],
  ...[
    'NZ',
    'NZ-CHAT',
    'Navajo',
    'PRC',
    'PST8PDT',
    'Poland',
    'Portugal',
    'ROC',
    'ROK',
    'Singapore',
    'Turkey',
    'UCT',
    'UTC',
    'Universal',
  ],
  ...['W-SU', 'WET', 'Zulu'],
]

/** Names of the platform that mean another place to most who write them. */
const LEGACY =
  'ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST'.split(
    ' ',
  )

describe('a time zone', () => {
  it('is any that the platform lists, and any link of the IANA database', () => {
    const names = [
      ...Intl.supportedValuesOf('timeZone'),
      ...WORDS,
      'Etc/GMT+12',
      'US/Eastern',
      'Asia/Kolkata',
      'Europe/Kyiv',
    ]
    for (const name of [...names, 'europe/berlin', 'utc'])
      expect(Zone.named(name).offsetMs(0)).toBeTypeOf('number')
  })

  it.each([...LEGACY, ...LEGACY.map((name) => name.toLowerCase()), 'EDT', 'CEST', 'MESZ'])(
    'is not %s',
    (name) => {
      expect(() => Zone.named(name)).toThrow(/^tz: expected a time zone like Europe\/Berlin, got "/)
    },
  )

  it.each([
    ...[
      '',
      'Berlin',
      'Europe/Berlin ',
      'Europe/Brelin',
      'SystemV/PST8',
      'systemv/ast4',
      '+01:00',
      'UTC+1',
      'GMT+1',
      'GMT+01:00',
    ],
    ...['Etc/GMT+15', 'Etc/Unknown', 'posix/UTC', 'localtime', 'Z', '/etc/localtime', '../UTC'],
  ])('is not %j', (name) => {
    expect(() => Zone.named(name)).toThrow(/^tz: expected a time zone/)
  })

  it('is not meant by an abbreviation, which the message says', () => {
    expect(() => Zone.named('BST')).toThrow(/got "BST"; an abbreviation stands for several$/)
  })
})
