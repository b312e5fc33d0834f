import { at } from './base.ts'
import { draw } from './draw.ts'
import { askAgain, type Topic, troubleOfPage } from './follow.ts'

/** How often all is asked for again besides: streams tell of the newest, and of no numbers that change all the time. */
const READ_EVERY_MS = 10_000
/** Where no stream comes through, and where the last question was not answered. */
const LOOK_OFTEN_MS = 2_000
/** Nobody looks at a hidden tab, but for what its icon and its title say. */
const HIDDEN_EVERY_MS = 60_000
/** A browser has six connections to a server: hidden tabs leave theirs to others. */
const HIDDEN_MS = 5_000
/** What servers count for all who look together is so new by then. */
const SETTLED_MS = 2_500
/** The server says something every 15 s. */
const SILENT_MS = 40_000

export type Liveness = 'live' | 'held' | 'looking' | 'lost' | 'out'

let stream: EventSource | undefined
let heardAtMs = 0
let askedAtMs = 0
const changed = new Set<Topic>()
let settling: ReturnType<typeof setTimeout> | undefined
let isHeld = false
let isOut = false

/**
 * Keeps what is on the screen as new as the servers have it.
 *
 * @param whileHidden asks for what a tab says that is not seen
 */
export function startLive(whileHidden: () => Promise<void>): void {
  open()
  setInterval(() => turn(whileHidden), 1_000)
  let hiding: ReturnType<typeof setTimeout> | undefined
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding)
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS)
    else {
      if (stream === undefined) open()
      again()
    }
  })
  addEventListener('pagehide', close)
  addEventListener('pageshow', ({ persisted }) => {
    // Kept by the browser as it was left: who looks may have logged out since.
    if (persisted) location.reload()
    else stream ?? open()
  })
}

/** How new what is on the screen is. */
export function liveness(): Liveness {
  if (isOut) return 'out'
  if (troubleOfPage()) return 'lost'
  if (isHeld) return 'held'
  return heardAtMs > 0 ? 'live' : 'looking'
}

export function isHolding(): boolean {
  return isHeld
}

/** Everything on the screen stays as it is, until it is let go. */
export function hold(next: boolean): void {
  isHeld = next
  if (!next) again()
  draw()
}

function open(): void {
  close()
  if (isOut || document.hidden) return
  stream = new EventSource(at('/console/stream'))
  on('hello', () => again())
  on('ping', () => {})
  on('bye', () => {})
  on('logout', () => {
    isOut = true
    close()
    askAgain()
  })
  on('changed', (data) => heard((JSON.parse(data) as { topics: Topic[] }).topics))
  stream.addEventListener('error', () => {
    heardAtMs = 0
    // Refused, not cut: it would not come again by itself.
    if (stream?.readyState === EventSource.CLOSED) stream = undefined
    draw()
  })
}

/** Asks at once, and then, however much changes, again when that has settled for all who ask a server together. */
function heard(topics: readonly Topic[]): void {
  for (const topic of topics) changed.add(topic)
  if (settling !== undefined) return
  again(topics)
  settling = setTimeout(() => {
    settling = undefined
    const late = [...changed]
    changed.clear()
    again(late)
  }, SETTLED_MS)
}

function on(event: string, act: (data: string) => void): void {
  stream?.addEventListener(event, ({ data }: MessageEvent<string>) => {
    if (heardAtMs === 0) draw()
    heardAtMs = Date.now()
    act(data)
  })
}

function close(): void {
  stream?.close()
  stream = undefined
  heardAtMs = 0
}

function turn(whileHidden: () => Promise<void>): void {
  if (isHeld) return
  const nowMs = Date.now()
  if (document.hidden) {
    if (nowMs - askedAtMs < HIDDEN_EVERY_MS) return
    askedAtMs = nowMs
    void whileHidden()
    return
  }
  const isLive = heardAtMs > 0 && nowMs - heardAtMs < SILENT_MS
  if (heardAtMs > 0 && !isLive) open()
  const isTime = nowMs - askedAtMs >= everyMs(isLive)
  if (stream === undefined && isTime) open()
  if (isTime) again()
  // Relative times go on.
  else draw()
}

function everyMs(isLive: boolean): number {
  const trouble = troubleOfPage()?.trouble
  // Whoever logs in again does so in this tab, or in one beside it.
  if (trouble?.status === 401) return HIDDEN_EVERY_MS
  if (trouble?.status === 429) return Math.max(READ_EVERY_MS, trouble.waitMs)
  return isLive && trouble === undefined ? READ_EVERY_MS : LOOK_OFTEN_MS
}

function again(topics?: readonly Topic[]): void {
  if (isHeld) return
  // Whoever is told to ask less waits, whatever changes.
  if (topics !== undefined && troubleOfPage()?.trouble.status === 429) return
  if (topics === undefined) askedAtMs = Date.now()
  askAgain(topics)
}
