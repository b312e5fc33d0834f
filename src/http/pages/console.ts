import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from '../problem.ts'
import { type ConsoleAssets, type ConsoleDocument, documentOf, sendDocument, serveIcons } from './assets.ts'
import { isPerson, sendPage } from './page.ts'
import type { Pages } from './pages.ts'

/** The console's pages. What each shows is for its scripts to ask. */
const PATHS = [
  '/',
  '/rounds',
  '/rounds/:system/:round',
  '/schedules',
  '/schedules/new',
  '/schedules/:system/:name',
  '/schedules/:system/:name/edit',
  '/alerts',
  '/expectations/:system/:name',
  '/fleet',
  '/fleet/instances/:id',
  '/fleet/orders/:id',
  '/fleet/pools/:name',
  '/fleet/workers/:worker',
  '/keys',
]

interface ConsoleParts {
  readonly assets: () => ConsoleAssets | undefined
  readonly pages: Pages
  /** The path that browsers find the pages below; empty where there is none. */
  readonly basePath: string
  /** What answers who is no person: there are no pages for programs. */
  readonly notFound: (request: FastifyRequest, reply: FastifyReply) => FastifyReply
}

/** What people see: rounds, schedules, alerts, the fleet. */
export async function consolePages(
  app: FastifyInstance,
  { assets, pages, basePath, notFound }: ConsoleParts,
): Promise<void> {
  serveIcons(app, assets)
  let made: ConsoleDocument | undefined
  const document = () => {
    const found = assets()
    made ??= found && documentOf(found, basePath)
    return made
  }
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      if (isPerson(request)) return pages.guard(request, reply)
      const limited = scope.access.limitedAddress(request)
      if (limited) return sendProblem(reply, limited)
      return request.url === '/' ? reply.redirect('/board', 302) : notFound(request, reply)
    })
    for (const path of PATHS)
      scope.get(path, (request, reply) => {
        const found = document()
        return found ? sendDocument(request, reply, found) : sendPage(reply, 503, NOT_BUILT)
      })
  })
}

const NOT_BUILT = `<p>The console is not built here: <code>npm run build:console</code> makes it.</p>
<p>There are <a href="/board">the board</a> and <a href="/docs">the docs</a>.</p>`
