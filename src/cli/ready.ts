import type { Command } from 'commander'
import { addServerOption } from './server-options.ts'
import { EXIT } from './terminal.ts'

const ANSWER_WITHIN_MS = 2_500

/** `gone ready`: for health checks of containers and for scripts that wait for a server. */
export function addReady(program: Command): void {
  const command = program.command('ready').description('say whether a server can decide rounds now')
  addServerOption(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ gone ready\n  $ until gone ready; do sleep 1; done\n\nExit codes:\n  0  it can\n  1  it cannot, or does not answer\n  2  bad usage',
    )
    .action(ready)
}

async function ready({ server }: { readonly server: string }): Promise<void> {
  const { trouble, warning } = await ask(server)
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`)
  process.stdout.write(`${trouble === undefined ? 'ready' : `not ready: ${trouble}`}\n`)
  process.exitCode = trouble === undefined ? EXIT.done : EXIT.notNow
}

async function ask(server: string): Promise<{ readonly trouble?: string; readonly warning?: string }> {
  try {
    const reply = await fetch(new URL('/readyz', server), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    const { trouble, warning } = (await reply.json()) as { trouble?: string; warning?: string }
    if (!reply.ok) return { trouble: trouble ?? `it answered ${reply.status}` }
    return warning === undefined ? {} : { warning }
  } catch {
    return { trouble: `no answer from ${server}` }
  }
}
