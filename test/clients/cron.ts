import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What cron mailed of a line that it ran. */
export interface Mail {
  readonly to: string
  readonly text: string
}

export interface Cron {
  mails(): Promise<Mail[]>
  stop(): Promise<void>
}

const SEPARATOR = '\n=== end of a mail\n'

/** Sees this one crontab alone, and of the machine's own none; mails by what is laid over /usr/sbin. */
const HOLD = `
mount -t tmpfs cron /etc/cron.d
mount --bind /dev/null /etc/crontab
mount -t tmpfs -o mode=1730 cron /var/spool/cron/crontabs
cp "$1/crontab" /var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root
mount -t tmpfs cron "$1/sbin"
mkdir "$1/sbin/upper" "$1/sbin/work"
cp "$1/sendmail" "$1/sbin/upper"
mount -t overlay -o lowerdir=/usr/sbin,upperdir="$1/sbin/upper",workdir="$1/sbin/work" cron /usr/sbin
mount -t tmpfs cron /run
exec cron -f
`

/** Debian's cron with this crontab for root, in a mount namespace of its own. It looks once a minute. */
export async function startCron(folder: string, crontab: string): Promise<Cron> {
  // By sudo it would be started, but not ended: who is not root may signal nothing of root's.
  if (process.getuid?.() !== 0) throw new Error('cron mounts and changes users: run these tests as root')
  const mailbox = join(folder, 'mailbox')
  await mkdir(join(folder, 'sbin'))
  await writeFile(join(folder, 'crontab'), crontab)
  // One write a mail: lines of one minute are mailed at once.
  const sendmail = `#!/bin/sh\nmail=$(cat)\nprintf '%s${SEPARATOR}' "$mail" >>${mailbox}\n`
  await writeFile(join(folder, 'sendmail'), sendmail, { mode: 0o755 })
  const args = ['--mount', 'sh', '-ec', HOLD, 'cron', folder]
  const child = spawn('unshare', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let trouble = ''
  child.stderr.on('data', (chunk) => {
    trouble += chunk
  })
  return {
    async mails() {
      if (child.exitCode !== null) throw new Error(`cron ended: ${trouble}`)
      return existsSync(mailbox) ? mailsIn(await readFile(mailbox, 'utf8')) : []
    },
    stop: () => end(child),
  }
}

function mailsIn(text: string): Mail[] {
  return text
    .split(SEPARATOR)
    .slice(0, -1)
    .map((mail) => {
      const [head = '', ...body] = mail.split('\n\n')
      return { to: /^To: (.*)$/m.exec(head)?.[1] ?? '', text: body.join('\n\n') }
    })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill()
  await ended
}
