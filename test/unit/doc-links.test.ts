import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
  'workers/README.md',
].filter((name) => name.endsWith('.md'))

/** Outside of code, where brackets may mean anything. */
function textOf(page: string): string {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
}

/** As GitHub names the anchor of a heading. */
function anchorsOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

describe('the pages', () => {
  it.each(PAGES)('of %s lead to what is there', (page) => {
    const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    for (const link of links.filter((each) => !/^[a-z]+:/.test(each))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      expect(existsSync(join(ROOT, target)), `${page}: ${link}`).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(target), `${page}: ${link}`).toContain(anchor)
    }
  })

  it.each(PAGES)('of %s name tests that there are', (page) => {
    const named = readFileSync(join(ROOT, page), 'utf8').matchAll(/`(test\/[\w./-]+\.test\.ts)`/g)
    expect([...named].map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual(
      [],
    )
  })

  it('are found from the README', () => {
    const readme = textOf('README.md')
    for (const page of PAGES.filter((each) => each.startsWith('docs/')))
      expect(readme, page).toContain(`(${page}`)
  })
})
