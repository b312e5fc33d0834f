import type { EndedCallJson, OpenCallJson } from '../../core/rounds/call-wire.ts'
import { about, anything, choice, duration, objectOf, optional, text, truth } from '../../core/shape.ts'
import { STATES } from '../parameters.ts'
import { JOB_MEMBERS } from './job-shapes.ts'

interface CallBody {
  readonly data?: unknown
  readonly timeout?: string
  readonly once?: boolean
  readonly queue?: boolean
  readonly region?: string
}

export const CALL = objectOf<CallBody>('CallBody', {
  data: optional(about('What the worker is given, any JSON.', anything(), { text: 'hello' })),
  timeout: optional(
    about(
      'How long it may take, waiting included, up to 10m; then it is given up. Default 10s.',
      duration(),
      '10s',
    ),
  ),
  once: optional(about('It is started once, ever, also where its worker dies.', truth(), true)),
  queue: optional(about('It waits where no worker is there, in place of a 503 at once.', truth(), true)),
  region: JOB_MEMBERS.region,
})

const MEMBERS = {
  system: about('Whose rounds its calls are.', text(), 'upcase'),
  worker: about('The worker that was called.', text(), 'upcase'),
  round: about('The round that the call is.', text(), 'call.mTk4Zk1YV0cxQ0p2b2JhcQ'),
  link: about('Where the round is found.', text(), '/api/v1/rounds/upcase/call.mTk4Zk1YV0cxQ0p2b2JhcQ'),
}

export const ENDED_CALL = objectOf<EndedCallJson>('EndedCall', {
  ...MEMBERS,
  outcome: choice(['completed', 'failed']),
  result: optional(about('What the handler returned, any JSON.', anything())),
  reason: optional(about('Why it failed.', text())),
  isGivenUp: optional(
    about('Its time was over, or it was given up.', { schema: { type: 'boolean', const: true } }),
  ),
})

export const OPEN_CALL = objectOf<OpenCallJson>('OpenCall', { ...MEMBERS, state: choice(STATES) })
