import { shownPath } from '../lib/base.ts'
import { zone } from '../lib/choices.ts'
import { wrongByMs } from '../lib/clock.ts'
import { troubleOfPage } from '../lib/follow.ts'
import { type ComponentChildren, h, type VNode } from '../lib/preact.js'
import { duration, moment } from '../lib/times.ts'

/** What is wrong with all of the page: the rest of it stays as it was. */
export function Notices(): VNode | null {
  const found = troubleOfPage()
  const wrongMs = wrongByMs()
  if (found === undefined && wrongMs === undefined) return null
  return (
    <div class="notices">
      {found && (
        <p class="notice bad" role="alert">
          {sayTrouble(found.trouble.code, found.trouble.message)}{' '}
          {found.atMs !== undefined && `What you see is of ${moment(found.atMs, zone(), Date.now())}. `}
          {found.trouble.status !== 401 && 'It is asked for again every few seconds.'}
        </p>
      )}
      {wrongMs !== undefined && (
        <p class="notice warn">
          This computer’s clock is {duration(Math.abs(wrongMs))} {wrongMs > 0 ? 'fast' : 'slow'}; times here
          are the servers’.
        </p>
      )}
    </div>
  )
}

function sayTrouble(code: string, message: string): ComponentChildren {
  switch (code) {
    case 'STORE_UNAVAILABLE':
      return 'Redis does not answer. Elections get a 500 that says retry; nothing acknowledged is lost.'
    case 'UNREACHABLE':
      return 'The server does not answer. Others of the fleet may.'
    case 'UNAUTHORIZED':
      return (
        <span>
          You are logged out: the key was revoked, or ran out.{' '}
          <a href={`/login?next=${encodeURIComponent(shownPath() + location.search)}`}>Log in</a>
        </span>
      )
    case 'RATE_LIMITED':
      return 'Asked too often; the server wants a pause.'
    default:
      return message
  }
}
