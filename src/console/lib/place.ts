/** So long after the last movement: browsers take few notes in a short time. */
const SETTLED_MS = 100

interface Noted {
  readonly scrollY?: number
}

let wanted: number | undefined

/** Back leads to the place where one had been: rows come after the page, and browsers wait for none. */
export function keepPlace(): void {
  history.scrollRestoration = 'manual'
  wanted = (history.state as Noted | null)?.scrollY
  let settling: ReturnType<typeof setTimeout> | undefined
  addEventListener('scroll', () => {
    clearTimeout(settling)
    settling = setTimeout(note, SETTLED_MS)
  })
  // A link may be left by before that.
  addEventListener('click', note, { capture: true })
  // Whoever has begun to move is where they want to be.
  for (const moved of ['wheel', 'keydown', 'pointerdown', 'touchstart'])
    addEventListener(moved, () => (wanted = undefined), { passive: true })
}

/** Called when something was drawn: goes there as soon as the page is long enough. */
export function findPlace(): void {
  if (wanted === undefined) return
  const { scrollHeight } = document.documentElement
  if (scrollHeight - innerHeight < wanted) return
  scrollTo(0, wanted)
  wanted = undefined
}

function note(): void {
  const state: Noted = { scrollY }
  history.replaceState(state, '')
}
