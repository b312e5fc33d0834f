import fastify from 'fastify'
import { expect, it } from 'vitest'
import { GoneError } from '../../src/errors.ts'
import { answerError } from '../../src/http/problem.ts'
import { notedLog } from '../support/noted-log.ts'

it('tells of a crowd that is turned away in one line, not in one each', async () => {
  const { log, lines } = notedLog()
  const app = fastify()
  app.setErrorHandler(answerError(log))
  app.get('/crowd', () => {
    throw new GoneError('TOO_MANY_STANDBYS', 'many wait here already')
  })
  app.get('/store', () => {
    throw new GoneError('STORE_UNAVAILABLE', 'no answer')
  })
  for (let n = 0; n < 5; n += 1) expect((await app.inject('/crowd')).statusCode).toBe(503)
  for (let n = 0; n < 2; n += 1) await app.inject('/store')
  await app.close()
  expect(lines).toEqual(['warn many wait here already', 'warn no answer', 'warn no answer'])
})
