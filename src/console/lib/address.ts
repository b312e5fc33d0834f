import { shownPath } from './base.ts'

/** The page's address is all that says what it shows: it can be sent to others, and found again. */
export function asked(name: string): string | undefined {
  const text = new URLSearchParams(location.search).get(name)?.trim()
  return text === '' || text === undefined ? undefined : text
}

/** The address of this page with other words in its query; what is undefined is left out. */
export function addressWith(change: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined || value === '') search.delete(name)
    else search.set(name, value)
  }
  const text = search.toString()
  return text === '' ? shownPath() : `${shownPath()}?${text}`
}
