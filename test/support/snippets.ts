import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { program } from './program.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WRITTEN_FOR = 'http://127.0.0.1:8080'

/** The fenced blocks of one language, in order. */
export function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  )
}

/** A block that a document shows, as it runs here: on this tree, asking this server. */
export function runnable(code: string, url: string): string {
  return code
    .replaceAll("from 'gone'", `from ${JSON.stringify(join(ROOT, 'src/index.ts'))}`)
    .replaceAll("from 'gone/testing'", `from ${JSON.stringify(join(ROOT, 'src/testing/testing.ts'))}`)
    .replaceAll("from 'gone/webhook'", `from ${JSON.stringify(join(ROOT, 'src/hook/webhook.ts'))}`)
    .replaceAll("from 'node-cron'", `from ${JSON.stringify(fileURLToPath(import.meta.resolve('node-cron')))}`)
    .replaceAll(WRITTEN_FOR, url)
}

/** Puts a `gone` into the folder that runs this tree; the environment that finds it there, and this server. */
export async function putGoneIn(folder: string, url: string): Promise<NodeJS.ProcessEnv> {
  const command = [process.execPath, ...program('src/cli/main.ts')].map((word) => `"${word}"`).join(' ')
  const shim = `#!/bin/sh\nexec ${command} "$@"\n`
  await writeFile(join(folder, 'gone'), shim, { mode: 0o755 })
  return { ...process.env, PATH: `${folder}:${process.env.PATH}`, GONE_URL: url }
}
