import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { secure } from './pages.ts'

/** True for what a person has in front of them: a browser that opens a page. */
export function isPerson({ method, headers }: FastifyRequest): boolean {
  return method === 'GET' && (headers.accept?.includes('text/html') ?? false)
}

/** A page of ours in itself: nothing of it is loaded from elsewhere. */
export function sendPage(reply: FastifyReply, status: number, body: string): FastifyReply {
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

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

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
