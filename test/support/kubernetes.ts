import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from './snippets.ts'

/** As much of a manifest as says what it is. */
export interface Kind {
  readonly apiVersion: string
  readonly kind: string
}

const load = createRequire(import.meta.url)
const TSC = join(ROOT, 'node_modules/.bin/tsc')
const OPTIONS = [
  '--ignoreConfig',
  '--noEmit',
  '--strict',
  '--skipLibCheck',
  '--target',
  'es2022',
  '--module',
  'nodenext',
  '--types',
  '',
]

/**
 * What is wrong with manifests by the OpenAPI document of Kubernetes: members that are not known or missing, and values that are
 * not taken. The schemas let unknown members pass, the types do not.
 */
export async function mistakesIn(manifests: readonly Kind[]): Promise<string> {
  return [...manifests.map(mistakeIn), await typeMistakesIn(manifests)].join('')
}

function mistakeIn(manifest: Kind): string {
  const models = load(`kubernetes-models/${manifest.apiVersion}`)
  try {
    new models[manifest.kind](manifest).validate()
    return ''
  } catch (error) {
    return `${manifest.kind}: ${error instanceof Error ? error.message : error}\n`
  }
}

async function typeMistakesIn(manifests: readonly Kind[]): Promise<string> {
  const lines = manifests.map((manifest, at) => {
    const { apiVersion, kind } = manifest
    const type = `import('kubernetes-models/${apiVersion}').I${kind}`
    return `export const manifest${at}: ${type} = ${JSON.stringify(manifest, undefined, 1)}\n`
  })
  // Inside the tree, where the types are found.
  const folder = join(ROOT, '.built', `manifests-${process.pid}`)
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(join(folder, 'manifests.mts'), lines.join(''))
    await promisify(execFile)(process.execPath, [TSC, ...OPTIONS, 'manifests.mts'], { cwd: folder })
    return ''
  } catch (error) {
    return (error as { readonly stdout?: string }).stdout || String(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
