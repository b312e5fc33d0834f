import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GoneError } from '../errors.ts'
import { pathsOf } from './api.ts'
import { escapeHtml, isPerson, sendPage } from './pages/page.ts'
import { sendProblem } from './problem.ts'

export type NotFound = (request: FastifyRequest, reply: FastifyReply) => FastifyReply

/** What answers a request that leads nowhere: with 405 where its path takes another method, else a page for people, a problem for programs. */
export function answerNotFound(app: FastifyInstance): NotFound {
  const methodsTaken = pathsOf(app)
  return (request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const taken = methodsTaken(path)
    if (taken) {
      const took = `${request.method} on ${taken.path}: this path takes ${taken.methods.join(' and ')}`
      return sendProblem(
        reply.header('allow', taken.methods.join(', ')),
        new GoneError('METHOD_NOT_ALLOWED', took),
      )
    }
    return sendNowhere(request, reply, path.slice(0, 256))
  }
}

function sendNowhere(request: FastifyRequest, reply: FastifyReply, path: string): FastifyReply {
  if (!isPerson(request))
    return sendProblem(
      reply,
      new GoneError('NOT_FOUND', `${request.method} ${path}: no such path; see /docs`),
    )
  const links = '<a href="/board">the board</a>, <a href="/docs">the docs</a>'
  return sendPage(
    reply,
    404,
    `<p>There is no page <code>${escapeHtml(path)}</code>.</p>\n<p>There are ${links}.</p>`,
  )
}
