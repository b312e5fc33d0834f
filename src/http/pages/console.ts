import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from '../problem.ts'
import { assetPath, type ConsoleAssets, serveAssets } from './assets.ts'
import { isPerson, sendPage } from './page.ts'
import { type Pages, secure } from './pages.ts'

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
  '/fleet/workers/:worker',
  '/keys',
]

interface ConsoleParts {
  readonly assets: () => ConsoleAssets | undefined
  readonly pages: Pages
  /** What answers who is no person: there are no pages for programs. */
  readonly notFound: (request: FastifyRequest, reply: FastifyReply) => FastifyReply
}

/** What people see: rounds, schedules, alerts, the fleet. */
export async function consolePages(
  app: FastifyInstance,
  { assets, pages, notFound }: ConsoleParts,
): Promise<void> {
  serveAssets(app, assets)
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      if (isPerson(request)) return pages.guard(request, reply)
      const limited = scope.access.limitedAddress(request)
      if (limited) return sendProblem(reply, limited)
      return request.url === '/' ? reply.redirect('/board', 302) : notFound(request, reply)
    })
    for (const path of PATHS) scope.get(path, (_, reply) => sendConsole(reply, assets()))
  })
}

/** No script, style or font but its own files, and no text that becomes markup. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
  "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

function sendConsole(reply: FastifyReply, assets: ConsoleAssets | undefined): FastifyReply {
  if (assets === undefined) return sendPage(reply, 503, NOT_BUILT)
  secure(reply)
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .header('cross-origin-opener-policy', 'same-origin')
    .header('cross-origin-resource-policy', 'same-origin')
    .send(documentOf(assets))
}

const NOT_BUILT = `<p>The console is not built here: <code>npm run build:console</code> makes it.</p>
<p>There are <a href="/board">the board</a> and <a href="/docs">the docs</a>.</p>`

function documentOf(assets: ConsoleAssets): string {
  const modules = [...assets.files.keys()].filter((name) => name.endsWith('.js') && name !== 'main.js')
  const preloads = modules.map((name) => `<link rel="modulepreload" href="${assetPath(assets, name)}">`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gone</title>
<link rel="icon" id="icon" type="image/svg+xml" href="${assetPath(assets, 'icon.svg')}">
<link rel="stylesheet" href="${assetPath(assets, 'style.css')}">
${preloads.join('\n')}
<script type="module" src="${assetPath(assets, 'main.js')}"></script>
</head>
<body>
<div id="app"></div>
<noscript><p>The console needs scripts. The <a href="/docs">API</a> and the command <code>gone</code> do not.</p></noscript>
</body>
</html>
`
}
