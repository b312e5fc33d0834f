/** What cron starts for a line of a crontab. */
export interface CronCommand {
  readonly command: string
  /** What it reads. */
  readonly stdin: string
}

/** A crontab as crontab(5) has it read: lines that set variables, and what is behind five fields. */
export function readCrontab(text: string): { env: Record<string, string>; commands: CronCommand[] } {
  const lines = text.split('\n').filter((line) => !/^\s*(?:#|$)/.test(line))
  const assignments = lines.flatMap((line) => /^([A-Z_]+)=(.*)$/.exec(line) ?? [])
  const env: Record<string, string> = { SHELL: '/bin/sh', PATH: '/usr/bin:/bin' }
  for (let at = 0; at < assignments.length; at += 3)
    env[assignments[at + 1] ?? ''] = assignments[at + 2] ?? ''
  const commands = lines.flatMap((line) => {
    const [, behind] = /^\s*(?:[\d*][\d*,/-]*\s+){5}(.*)$/.exec(line) ?? []
    return behind === undefined ? [] : [commandOf(behind)]
  })
  return { env, commands }
}

/** A percent sign ends the command, and each after it a line of its input, but for one behind a backslash. */
function commandOf(text: string): CronCommand {
  const [command = '', ...input] = text.split(/(?<!\\)%/).map((part) => part.replaceAll('\\%', '%'))
  return { command, stdin: input.join('\n') }
}
