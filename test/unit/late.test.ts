import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, expect, it } from 'vitest'
import { serveLate } from '../../src/http/pages/late.ts'
import { answerError } from '../../src/http/problem.ts'
import { silentLog } from '../support/log.ts'

const open: FastifyInstance[] = []

afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

/** Serves what is under `/late` by what this makes. */
function serverOf(build: () => Promise<FastifyInstance>): FastifyInstance {
  const app = Fastify()
  open.push(app)
  app.setErrorHandler(answerError(silentLog))
  app.addHook('onRequest', async (_, reply) => void reply.header('x-seen', 'yes'))
  serveLate(app, { path: '/late', changes: '/late/api', build })
  return app
}

async function made(onClose = () => {}): Promise<FastifyInstance> {
  const late = Fastify()
  late.get('/late', async () => 'first')
  late.post('/late/api/:name', async ({ params, body }) => ({ params, body }))
  late.addHook('onClose', async () => onClose())
  await late.ready()
  return late
}

it('makes it once for all who ask first, and not before', async () => {
  let builds = 0
  const app = serverOf(async () => {
    builds += 1
    await new Promise((resolve) => setTimeout(resolve, 50))
    return made()
  })
  await app.ready()
  expect(builds).toBe(0)
  const answers = await Promise.all(Array.from({ length: 5 }, () => app.inject('/late')))
  expect(answers.map(({ statusCode, body }) => [statusCode, body])).toEqual(answers.map(() => [200, 'first']))
  expect(builds).toBe(1)
})

it('lets it read the body, keeps what hooks have said, and has it answer what is not there', async () => {
  const app = serverOf(() => made())
  const told = await app.inject({ method: 'POST', url: '/late/api/it', payload: { n: 1 } })
  expect([told.statusCode, told.json()]).toEqual([200, { params: { name: 'it' }, body: { n: 1 } }])
  expect(told.headers['x-seen']).toBe('yes')
  expect((await app.inject('/late/nowhere/at/all')).statusCode).toBe(404)
  expect((await app.inject({ method: 'POST', url: '/late/it' })).statusCode).toBe(404)
})

it('says that it may be tried again where it could not be made, and tries again', async () => {
  let builds = 0
  const app = serverOf(async () => {
    builds += 1
    if (builds === 1) throw new Error('too many open files')
    return made()
  })
  const answers = await Promise.all([app.inject('/late'), app.inject('/late')])
  for (const refused of answers) {
    expect(refused.statusCode).toBe(500)
    expect(refused.headers['retry-after']).toBe('1')
    expect(refused.json()).toMatchObject({
      code: 'INTERNAL',
      retryable: true,
      detail: expect.stringContaining('/late'),
    })
  }
  expect((await app.inject('/late')).body).toBe('first')
  expect(builds).toBe(2)
})

it('closes it with the server', async () => {
  let closed = 0
  const app = serverOf(() =>
    made(() => {
      closed += 1
    }),
  )
  await app.inject('/late')
  await app.close()
  expect(closed).toBe(1)
})
