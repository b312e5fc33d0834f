import type { Page } from '../lib/page.ts'
import { h } from '../lib/preact.js'
import { Empty } from '../parts/empty.tsx'

/** Where nothing is. */
export function lostPage(): Page {
  return { title: 'Not here', view: () => <Empty>There is no page here. The pages are above.</Empty> }
}
