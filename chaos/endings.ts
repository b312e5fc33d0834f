/** Ways in which a handler can end that are no result and no plain error. Each must end its round as failed. */
export const ENDINGS: Readonly<Record<string, () => unknown>> = {
  'returns-bigint': () => 7n,
  'returns-circle': () => {
    const circle: Record<string, unknown> = {}
    circle.round = circle
    return circle
  },
  'returns-throwing-json': () => ({ toJSON: refuse }),
  'returns-throwing-getter': () => Object.defineProperty({}, 'sent', { enumerable: true, get: refuse }),
  'returns-deep': () => {
    let nested: unknown = []
    for (let level = 0; level < 20_000; level += 1) nested = [nested]
    return nested
  },
  'returns-function': () => refuse,
  'throws-undefined': () => raise(undefined),
  'throws-symbol': () => raise(Symbol('sent')),
  'throws-bare-object': () => raise(Object.create(null)),
  'throws-unreadable': () => raise(Object.defineProperty(new Error(), 'message', { get: refuse })),
  'throws-object-message': () => raise(Object.assign(new Error(), { message: { code: 5 } })),
  'throws-proxy': () =>
    raise(new Proxy(Object.freeze({}), { get: refuse, getPrototypeOf: refuse, has: refuse })),
  'throws-unrecoverable': () => raise(named('UnrecoverableError')),
  'throws-delayed': () => raise(named('DelayedError')),
  'throws-waiting': () => raise(named('WaitingError')),
  'throws-waiting-children': () => raise(named('WaitingChildrenError')),
  'throws-rate-limit': () => raise(named('RateLimitError', 'bullmq:rateLimitExceeded')),
}

function refuse(): never {
  throw new Error('not to be looked at')
}

function raise(thrown: unknown): never {
  throw thrown
}

function named(name: string, message = 'as asked'): Error {
  return Object.assign(new Error(message), { name })
}
