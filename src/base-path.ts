/** First parts of the pages that people look at, and may be sent back to when they have logged in. */
export const PAGES = ['board', 'docs', 'rounds', 'schedules', 'alerts', 'expectations', 'fleet', 'keys']

/** First parts of our own paths: a prefix like one of them could not be told from what it is before. */
const OWN = [...PAGES, 'api', 'login', 'logout', 'healthz', 'readyz', 'metrics', 'console']

/** Whether it is a path that this server can be reached below, such as `/gone` or `/tools/gone`. */
export function isBasePath(text: string): boolean {
  const [before, ...parts] = text.split('/')
  const isPlain = before === '' && parts.length > 0 && parts.every((part) => /^[\w~-][\w.~-]*$/.test(part))
  return isPlain && !OWN.includes(parts[0] ?? '')
}

/** What was asked for: a proxy may have left the prefix away or not. */
export function withoutBasePath(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url
  const rest = url.slice(basePath.length)
  if (rest === '' || rest.startsWith('?')) return `/${rest}`
  return rest.startsWith('/') ? rest : url
}
