import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from './snippets.ts'

/** A file of the tree, and what it imports: another file of the tree, a package, or a part of Node such as `node:fs`. */
export interface Module {
  readonly file: string
  /** Each once; types count, and so does what is imported while it runs. */
  readonly imports: readonly string[]
}

const FORMS = [
  /^(?:import|export)\s+(?:type\s+)?(?:\w+\s*,?\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)?\s*from\s+'([^']+)'/gm,
  /^import\s+'([^']+)'/gm,
  /\bimport\(\s*'([^']+)'/g,
]

/** The modules of these folders of the tree. */
export function modulesIn(...folders: readonly string[]): Module[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(folder, name))
      .map((file) => ({ file, imports: importsOf(file, readFileSync(join(ROOT, file), 'utf8')) })),
  )
}

/** What a file of this text imports. */
export function importsOf(file: string, text: string): string[] {
  const named = FORMS.flatMap((form) => [...text.matchAll(form)].map(([, name]) => name as string))
  return [...new Set(named.map((name) => targetOf(file, name)))]
}

function targetOf(file: string, name: string): string {
  if (name.startsWith('.')) return join(dirname(file), name)
  // A part of a package is the package: `@scope/name/part`, `name/part`.
  return name.startsWith('node:') ? name : (/^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
}
