import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PAGES } from '../../base-path.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { forbidden, keyIn } from '../access/access.ts'
import { sendProblem } from '../problem.ts'
import { escapeHtml, sendPage } from './page.ts'
import { LOGIN_PATH, LOGOUT_PATH, type Pages } from './pages.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'
const MAX_FORM_BYTES = 2_048

/** Where people show their key, once, for the board and the docs. */
export function login(app: FastifyInstance, pages: Pages, log: Log): void {
  const { access } = app
  // Nothing but forms, so that no parser sees what whoever has no key sends.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(FORM_TYPE, { parseAs: 'string', bodyLimit: MAX_FORM_BYTES }, (_, body, done) =>
    done(null, new URLSearchParams(String(body))),
  )

  app.get(LOGIN_PATH, async (request, reply) => {
    const next = nextOf(request)
    if (access.keyring.isOpen || (await pages.hasLoggedIn(request))) return reply.redirect(next, 302)
    // Who comes by a link of another site has not shown the cookie. A page of ours that goes on to itself shows it.
    if (mayHaveCookie(request)) reply.header('refresh', `0; url=?next=${encodeURIComponent(next)}&again=1`)
    return sendPage(reply, 200, loginForm(next))
  })

  // Before the body is read.
  app.addHook('onRequest', (request, reply, done) => {
    const refused = pages.foreign(request) ?? access.limitedAddress(request)
    if (refused) sendProblem(reply, refused)
    else done()
  })

  app.post(LOGIN_PATH, async (request, reply) => {
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
    await access.waking('read')
    const key = keyIn(access.keyring.find(form.get('key')?.trim() ?? ''))
    const denied = key instanceof GoneError ? key : forbidden(key, 'read', 'all')
    if (key instanceof GoneError || denied) {
      const { code, status, message } = denied as GoneError
      log.warn({ address: access.callers.address(request), code }, 'not logged in')
      return sendPage(reply, status, loginForm(safeNext(form.get('next')), message))
    }
    reply.header('set-cookie', await pages.logIn(request, key))
    request.keyId = key.id
    log.info({ key: key.id, address: access.callers.address(request) }, 'logged in')
    return reply.redirect(safeNext(form.get('next')), 303)
  })

  app.get(LOGOUT_PATH, (_, reply) => sendPage(reply, 200, access.keyring.isOpen ? NO_KEYS : LOGOUT_FORM))
  app.post(LOGOUT_PATH, async (request, reply) => {
    reply.header('set-cookie', await pages.logOut(request))
    return reply.redirect(LOGIN_PATH, 303)
  })
}

/** Over plain HTTP browsers do not say where a link was. */
function mayHaveCookie({ headers, query }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  return site !== 'same-origin' && site !== 'none' && !Object.hasOwn(query as object, 'again')
}

function nextOf(request: FastifyRequest): string {
  const { next } = request.query as { readonly next?: unknown }
  return safeNext(typeof next === 'string' ? next : null)
}

const OUR_PAGE = new RegExp(`^/(?:(?:${PAGES.join('|')})(?:[/?][\\w/?=&%.~+:@*!'(),;$-]*)?)?$`)

/** Only pages of ours: whoever links to the login must not choose where it ends. */
function safeNext(next: string | null): string {
  return next !== null && OUR_PAGE.test(next) ? next : '/'
}

function loginForm(next: string, trouble?: string): string {
  const alert = trouble === undefined ? '' : `<p class="trouble" role="alert">${escapeHtml(trouble)}</p>`
  return `<form method="post" action="${LOGIN_PATH}">
${alert}
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label for="key">API key</label>
<input id="key" name="key" type="password" placeholder="gone_…" autocomplete="current-password" required autofocus spellcheck="false">
<button type="submit">Log in</button>
<p class="hint">A key with <code>read</code> on all systems sees the console and the board; one with <code>admin</code> may change queues. Make one with <code>gone key create</code>.</p>
</form>`
}

const LOGOUT_FORM = `<form method="post" action="${LOGOUT_PATH}">
<p>You are logged in on this browser.</p>
<button type="submit">Log out</button>
</form>`

const NO_KEYS = `<p>No key is needed here, so nobody is logged in.</p>
<p><a href="/">To the console</a></p>`
