/** What a person has chosen for this browser. Kept in it, where it lets us. */
export interface Choices {
  readonly theme: 'as the system' | 'light' | 'dark'
  readonly isUtc: boolean
  readonly hasKeys: boolean
}

const KEPT = 'gone-console'
const DEFAULTS: Choices = { theme: 'as the system', isUtc: false, hasKeys: true }

let choices: Choices = { ...DEFAULTS, ...read() }
show()

export function chosen(): Choices {
  return choices
}

export function choose(change: Partial<Choices>): void {
  choices = { ...choices, ...change }
  show()
  try {
    localStorage.setItem(KEPT, JSON.stringify(choices))
  } catch {
    // A browser that keeps nothing: it lasts as long as the page.
  }
}

/** The zone that times are shown in. */
export function zone(): string {
  return choices.isUtc ? 'UTC' : ownZone()
}

export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

function read(): Partial<Choices> {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Partial<Choices>
  } catch {
    return {}
  }
}

function show(): void {
  const { theme } = choices
  if (theme === 'as the system') document.documentElement.removeAttribute('data-theme')
  else document.documentElement.dataset.theme = theme
}
