import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from '../problem.ts'
import { secure } from './pages.ts'

/** What the console is made of. */
export interface ConsoleAssets {
  readonly script: string
  readonly style: string
  /** By name: `icon.svg`, and `icon-bad.svg` while something is wrong. */
  readonly icons: ReadonlyMap<string, Buffer>
}

/** The one document that every page of the console is: scripts find out by its address what to show. */
export interface ConsoleDocument {
  readonly html: Buffer
  readonly gzipped: Buffer
  /** Of its content: another build has another. */
  readonly tag: string
  readonly policy: string
}

/** Icons change with no build. */
const A_DAY = 'public, max-age=86400'
/** Kept, and looked after each time: there is nothing of the user's in it, and next to nothing to send where it is still the same. */
const ASKED_ANEW = 'private, no-cache'

/**
 * Script and style stand in the document itself, so that it is whole wherever it comes from: behind a balancer the next request
 * reaches another server, which may be of another build and have no part of this one's.
 *
 * @param basePath the path that browsers find it below; empty where there is none
 */
export function documentOf({ script, style }: ConsoleAssets, basePath: string): ConsoleDocument {
  const html = Buffer.from(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gone</title>
<link rel="icon" id="icon" type="image/svg+xml" href="${basePath}/console/icon.svg">
<style>${style}</style>
<script type="module">${script}</script>
</head>
<body>
<div id="app"></div>
<noscript><p>The console needs scripts. The <a href="${basePath}/docs">API</a> and the command <code>gone</code> do not.</p></noscript>
</body>
</html>
`)
  return {
    html,
    gzipped: gzipSync(html, { level: 9 }),
    tag: `W/"${createHash('sha256').update(html).digest('hex').slice(0, 16)}"`,
    policy: policyOf(script, style),
  }
}

/** No script or style but its own, and no text that becomes markup. */
function policyOf(script: string, style: string): string {
  const own = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  return (
    `default-src 'none'; script-src ${own(script)}; style-src ${own(style)}; img-src 'self'; connect-src 'self'; ` +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
  )
}

/** Answers with the document, or that the browser has it already. */
export function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  { html, gzipped, tag, policy }: ConsoleDocument,
): FastifyReply {
  secure(reply)
  reply
    .header('content-security-policy', policy)
    .header('cross-origin-resource-policy', 'same-origin')
    .header('cache-control', ASKED_ANEW)
    .header('vary', 'accept-encoding')
    .header('etag', tag)
  if (isTrusted(request)) reply.header('cross-origin-opener-policy', 'same-origin')
  if (request.headers['if-none-match']?.includes(tag)) return reply.code(304).send()
  reply.type('text/html; charset=utf-8')
  if (!takesGzip(request)) return reply.send(html)
  return reply.header('content-encoding', 'gzip').send(gzipped)
}

/** Serves the icons to whoever asks. */
export function serveIcons(app: FastifyInstance, assets: () => ConsoleAssets | undefined): void {
  for (const name of ['icon.svg', 'icon-bad.svg'])
    app.get(`/console/${name}`, (request, reply) => {
      const limited = app.access.limitedAddress(request)
      if (limited) return sendProblem(reply, limited)
      secure(reply)
      return reply
        .type('image/svg+xml')
        .header('cache-control', A_DAY)
        .send(assets()?.icons.get(name) ?? '')
    })
}

/** Whether browsers heed what is said of other windows; elsewhere they say in their console that they do not. */
function isTrusted(request: FastifyRequest): boolean {
  const { callers } = request.server.access
  const name = (callers.host(request) ?? '').replace(/:\d+$/, '')
  const isLoopback = name === '[::1]' || name.startsWith('127.') || /(?:^|\.)localhost$/.test(name)
  return isLoopback || callers.isSecure(request)
}

function takesGzip({ headers }: FastifyRequest): boolean {
  return /\bgzip\b/.test(headers['accept-encoding'] ?? '')
}
