let view = (): void => {}
let isAsked = false

/** From now on this is what draws the document. */
export function drawBy(next: () => void): void {
  view = next
  next()
}

/** Draws once, with the next frame, however often it is asked for. */
export function draw(): void {
  if (isAsked) return
  isAsked = true
  const now = () => {
    isAsked = false
    view()
  }
  // Nobody draws frames of a hidden tab.
  if (document.hidden) setTimeout(now, 250)
  else requestAnimationFrame(now)
}
