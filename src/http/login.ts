import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../core/ports.ts'
import { GoneError } from '../errors.ts'
import { forbidden, keyIn } from './access.ts'
import { LOGIN_PATH, LOGOUT_PATH, type Pages, secure } from './pages.ts'
import { sendProblem } from './problem.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'
const MAX_FORM_BYTES = 2_048

/** Where people show their key, once, for the board and the docs. */
export function login(app: FastifyInstance, pages: Pages, log: Log): void {
  const { access } = app
  app.addContentTypeParser(FORM_TYPE, { parseAs: 'string', bodyLimit: MAX_FORM_BYTES }, (_, body, done) =>
    done(null, new URLSearchParams(String(body))),
  )

  app.get(LOGIN_PATH, (request, reply) => {
    if (access.keyring.isOpen) return reply.redirect('/board', 302)
    return sendPage(reply, 200, loginForm(nextOf(request)))
  })

  app.post(LOGIN_PATH, async (request, reply) => {
    const refused = pages.foreign(request) ?? access.limitedAddress(request)
    if (refused) return sendProblem(reply, refused)
    const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
    const key = keyIn(access.keyring.find(form.get('key')?.trim() ?? ''))
    const denied = key instanceof GoneError ? key : forbidden(key, 'read', 'all')
    if (key instanceof GoneError || denied) {
      const { code, status, message } = denied as GoneError
      log.warn({ address: access.callers.address(request), code }, 'not logged in')
      return sendPage(reply, status, loginForm(safeNext(form.get('next')), message))
    }
    const secret = await access.keyring.keepSessionSecret(randomBytes(32).toString('base64url'))
    log.info({ key: key.id, address: access.callers.address(request) }, 'logged in')
    reply.header('set-cookie', pages.loggedIn(request, key, secret))
    return reply.redirect(safeNext(form.get('next')), 303)
  })

  app.get(LOGOUT_PATH, (_, reply) => sendPage(reply, 200, LOGOUT_FORM))
  app.post(LOGOUT_PATH, (request, reply) => {
    const refused = pages.foreign(request)
    if (refused) return sendProblem(reply, refused)
    reply.header('set-cookie', pages.loggedOut(request))
    return reply.redirect(LOGIN_PATH, 303)
  })
}

function nextOf(request: FastifyRequest): string {
  const { next } = request.query as { readonly next?: unknown }
  return safeNext(typeof next === 'string' ? next : null)
}

/** Only pages of ours: whoever links to the login must not choose where it ends. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(board|docs)(?:[/?][\w/?=&%.~+:-]*)?$/.test(next) ? next : '/board'
}

function sendPage(reply: FastifyReply, status: number, body: string): FastifyReply {
  secure(reply)
  const nonce = randomBytes(12).toString('base64')
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .header(
      'content-security-policy',
      `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
    )
    .send(page(nonce, body))
}

function page(nonce: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gone</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main>
<h1>gone</h1>
<p class="motto">Every replica fires, one runs.</p>
${body}
</main>
</body>
</html>
`
}

function loginForm(next: string, trouble?: string): string {
  const alert = trouble === undefined ? '' : `<p class="trouble" role="alert">${escapeHtml(trouble)}</p>`
  return `<form method="post" action="${LOGIN_PATH}">
${alert}
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label for="key">API key</label>
<input id="key" name="key" type="password" placeholder="gone_…" autocomplete="current-password" required autofocus spellcheck="false">
<button type="submit">Log in</button>
<p class="hint">A key with <code>read</code> on all systems sees the board; one with <code>admin</code> may change queues. Make one with <code>gone key create</code>.</p>
</form>`
}

const LOGOUT_FORM = `<form method="post" action="${LOGOUT_PATH}">
<p>You are logged in on this browser.</p>
<button type="submit">Log out</button>
</form>`

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --paper: #f4f6f8; --card: #fff; --line: #d5dbe3; --accent: #2457c5; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --paper: #12161c; --card: #1b212a; --line: #36404d; --accent: #7aa2ff; --bad: #ff8a80 }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { width: min(26rem, 92vw); padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.02em }
.motto { margin: 0 0 1.5rem; opacity: .7 }
label { display: block; margin-bottom: .25rem; font-weight: 600 }
input { width: 100%; padding: .6rem .75rem; font: 14px/1.7 ui-monospace, monospace; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px }
button { width: 100%; margin-top: 1rem; padding: .65rem; font: inherit; font-weight: 600; color: var(--card); background: var(--accent); border: 0; border-radius: 8px; cursor: pointer }
input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.trouble { margin: 0 0 1rem; padding: .6rem .75rem; color: var(--bad); border: 1px solid currentColor; border-radius: 8px }
.hint { margin: 1rem 0 0; font-size: .875rem; opacity: .75 }
`

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
