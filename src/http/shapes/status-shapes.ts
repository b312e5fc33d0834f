import type { ServerFacts } from '../../core/servers.ts'
import { about, choice, integer, listOf, objectOf, optional, text, truth } from '../../core/shape.ts'
import type { CallerJson, StatusJson } from '../../core/status-wire.ts'
import { NOW } from './schedule-shapes.ts'

const SERVER = objectOf<ServerFacts>('Server', {
  id: about('New at each start.', text()),
  host: text(),
  pid: integer(),
  version: about('Of gone.', text()),
  node: about('Of Node.', text()),
  url: about('Where it listens.', text(), 'http://127.0.0.1:8080'),
})

const REDIS = objectOf<StatusJson['redis']>('RedisStatus', {
  ready: about('Rounds can be decided.', truth()),
  trouble: optional(about('Why not.', text())),
  warning: optional(about('What it has lost that it had acknowledged.', text())),
  version: optional(about('With the product.', text(), 'Redis 7.0.15')),
  role: optional(text()),
  usedMemoryBytes: optional(integer()),
  maxMemoryBytes: optional(about('0: no limit.', integer())),
  hasAof: optional(truth()),
})

const CALLER = objectOf<CallerJson>('Caller', {
  address: about('Whom the server takes the caller for.', text(), '203.0.113.9'),
  host: optional(about('By which name it was asked.', text(), 'gone.example.com')),
  secure: about("The caller's end of the way is encrypted, as far as the server knows.", truth()),
  proxy: optional(
    about(
      'A proxy has said whom it asks for; ignored: it is none of GONE_TRUSTED_PROXIES.',
      choice(['believed', 'ignored']),
    ),
  ),
})

export const STATUS = objectOf<StatusJson>('Status', {
  servers: about('Those that were heard in the last 16 s.', listOf(SERVER)),
  redis: REDIS,
  overdue: about('Rounds whose deadline has passed without a report.', integer()),
  caller: CALLER,
  ...NOW,
})
