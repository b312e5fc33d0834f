/** The path that the server is reached below, such as `/gone`, or nothing: the document says where its icon is. */
const BASE =
  document
    .getElementById('icon')
    ?.getAttribute('href')
    ?.replace(/\/console\/[^/]+$/, '') ?? ''

/** Where the browser finds what is at this path of the server. */
export function at(path: string): string {
  return BASE + path
}

/** The path of the server that is shown. */
export function shownPath(): string {
  const { pathname } = location
  return pathname.startsWith(`${BASE}/`) || pathname === BASE ? pathname.slice(BASE.length) || '/' : pathname
}
