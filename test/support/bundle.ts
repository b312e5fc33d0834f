import { readdirSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** What is started as a process, or loaded by one by its path, where `compile.ts` has put it. */
const PROGRAMS = [
  'src/index.js',
  'src/cli/gone.js',
  'src/cli/main.js',
  'src/cli/served-process.js',
  'src/cli/served-work.js',
  'src/cli/supervised-work.js',
  'src/cli/demo/fleet-host.js',
  'src/cli/demo/replica.js',
  'src/cli/demo/worker.js',
  'src/process/exit.js',
  'test/support/dying-facade.js',
  'test/support/in-process-cron.js',
  'test/support/skew.js',
  'test/support/submitter.js',
]
/** All that is in them. */
const WORKERS = ['workers', 'chaos/workers', 'examples/workers', 'test/support/workers']
/** They read files of their own folders; few processes ever load them. */
const AS_INSTALLED = ['@bull-board/*', '@fastify/swagger', '@fastify/swagger-ui', 'msgpackr-extract', 'tsx']

/**
 * Has each program of a compiled tree and all that it imports in a few files: a server has to find and read seven hundred otherwise, which is half of
 * the processor time of its start. What is packed and released is not bundled, and tests of that are of what is packed.
 */
export async function bundle(built: string): Promise<void> {
  // Of the time before, where it is done once more.
  await rm(join(built, 'chunks'), { recursive: true, force: true })
  await build({
    absWorkingDir: built,
    entryPoints: [...PROGRAMS, ...WORKERS.flatMap((folder) => scriptsIn(built, folder))],
    outbase: built,
    outdir: built,
    allowOverwrite: true,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: AS_INSTALLED,
    // Packages of CommonJS require what is in Node.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'\nconst require = requireFrom(import.meta.url)",
    },
    plugins: [whereItWas(built)],
    logLevel: 'warning',
  })
}

function scriptsIn(built: string, folder: string): string[] {
  return readdirSync(join(built, folder))
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(folder, name))
}

/** A module of the tree finds the files beside it by its own address, which is that of the module and not of the bundle; and what it requires is bundled. */
function whereItWas(built: string): Plugin {
  return {
    name: 'where-it-was',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        if (!path.startsWith(join(built, '/'))) return undefined
        const text = await readFile(path, 'utf8')
        const contents = text
          .replaceAll("createRequire(import.meta.url)('", "require('")
          .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        return { contents, loader: 'js' }
      })
    },
  }
}
