import { h, type VNode } from '../lib/preact.js'
import { forget, told } from '../lib/told.ts'

/** What was done in this tab, newest first. */
export function ToldList(): VNode {
  return (
    <div class="told" role="status">
      {told().map((one) => (
        <p key={one.text}>
          {one.href === undefined ? one.text : <a href={one.href}>{one.text}</a>}
          {one.undo && (
            <button type="button" onClick={one.undo.act}>
              {one.undo.word}
            </button>
          )}
          <button type="button" class="plain" aria-label="Put away" onClick={() => forget(one)}>
            ✕
          </button>
        </p>
      ))}
    </div>
  )
}
