import type { Command } from 'commander'
import { reasonOf } from '../client/transport.ts'
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
  const { isThere, trouble, warning } = await readyOf(server)
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`)
  process.stdout.write(
    `${trouble === undefined ? 'ready' : `not ready: ${isThere ? '' : `${withoutLogin(server)}: `}${trouble}`}\n`,
  )
  process.exitCode = trouble === undefined ? EXIT.done : EXIT.notNow
}

/** What a server says of itself. `isThere`: something answers. */
export async function readyOf(
  server: string,
): Promise<{ readonly isThere: boolean; readonly trouble?: string; readonly warning?: string }> {
  try {
    const reply = await fetch(`${server.replace(/\/+$/, '')}/readyz`, {
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      redirect: 'manual',
    })
    const { status, trouble, warning } = (await reply.json().catch(() => ({}))) as Readonly<
      Record<string, string>
    >
    if (status === 'ready') return { isThere: true, ...(warning !== undefined && { warning }) }
    return {
      isThere: true,
      trouble: trouble ?? `${server} answered ${reply.status}, but not as a gone server`,
    }
  } catch (error) {
    return { isThere: false, trouble: withoutLogin(`no answer: ${reasonOf(error)}`) }
  }
}

/** A URL may hold a password, and what refuses it shows it whole. */
export function withoutLogin(text: string): string {
  return text.replace(/\/\/[^/\s@]*@/g, '//***@')
}
