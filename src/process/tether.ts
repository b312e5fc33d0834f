import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

export interface TetheredStart {
  /** The program and its arguments. No shell reads them. */
  readonly words: readonly string[]
  /** Missing: this process' own. */
  readonly env?: NodeJS.ProcessEnv
  /** Added to it for the program alone: what finds its libraries is none of the shell's business. */
  readonly ownEnv?: Readonly<Record<string, string>>
  /** Of its standard streams. */
  readonly stdio: readonly ['ignore' | 'inherit', 'pipe' | number, 'pipe' | number]
  /** Held by the program for as long as it lives, and by nobody else: where somebody has it, the exit code is LOCKED. */
  readonly lockFile?: string
  /** A variable, as `NAME=value`, that tells what the program has started from all else, on Linux also out of its group. */
  readonly mark?: string
  /** How long it has to end by itself, once this process has ended, before it is ended by force. */
  readonly graceMs?: number
}

/** The exit code where somebody else holds the lock. */
export const LOCKED = 97

const GRACE_MS = 5_000
/** What a shell takes over from its environment; of others it passes nothing on. */
const SHELL_NAME = /^[A-Za-z_]\w*$/

/**
 * What becomes the program (`exec`), and beside it a watcher that ends it and what it has started when this process ends in
 * whatever way: then our end of the pipe closes before a line has come through it. Arguments: the lock file or nothing, the
 * mark or nothing, the grace in tenths of a second, variables, `--`, the program and its arguments.
 *
 * - The lock belongs to the open file, which the program inherits: the kernel frees it with the program's last breath. It is
 *   on the file and on its folder: somebody may remove the file. A disk that locks no folders says why, and then the file is all.
 * - The watcher is nobody's child, so that a program which waits for all of its children does not wait for it.
 * - `kill 0` reaches the process group of the shell, which nobody else can own while the watcher is in it.
 * - A process may end, or be another user's, while grep reads: with -q a match counts all the same.
 * - The mark is set behind the watcher's back, so that it does not find itself.
 * - The variables of the watcher are its own: the program may have been given some of those names.
 * - What comes under names that no shell takes comes as the value of others, and not as arguments, which anybody may read for
 *   as long as the watcher lives.
 */
const TETHER = `
if [ -n "$1" ]; then
  exec 4>>"$1" 5<"\${1%/*}"
  for fd in 4 5; do
    if command -v flock >/dev/null; then said=$(flock -n $fd 2>&1)
    elif command -v perl >/dev/null; then said=$(perl -e 'open(my $f, "<&=$ARGV[0]") or exit 2; flock($f, 6) or exit($!{EWOULDBLOCK} ? 1 : 2)' $fd 2>&1)
    fi
    [ $? -eq 1 ] && [ -z "$said" ] && exit ${LOCKED}
  done
fi
(
  (
    mark=$2 grace=$3
    marked() { [ -n "$mark" ] && grep "$1" -sF -- "$mark" /proc/[0-9]*/environ; }
    end_marked() { marked -l | while IFS=/ read -r _ _ pid _; do kill "-$1" "$pid"; done; }
    trap '' TERM INT HUP QUIT
    read -r _ <&3 && exit
    kill -TERM 0
    end_marked TERM
    n=0
    while kill -0 $$ && [ $n -lt $grace ]; do sleep 0.1; n=$((n + 1)); done
    while marked -q && [ $n -lt $grace ]; do sleep 0.5; n=$((n + 5)); done
    n=0
    while marked -q && [ $n -lt 20 ]; do end_marked KILL; sleep 0.05; n=$((n + 1)); done
    kill -KILL 0
  ) >/dev/null 2>&1 </dev/null 4>&- 5>&- &
)
exec 3<&-
shift 3
while [ "$1" != -- ]; do export "$1"; shift; done
shift
if [ -n "$GONE_ODD" ]; then
  while [ $GONE_ODD -gt 0 ]; do
    eval "set -- \\"\\$GONE_ODD_$GONE_ODD\\" \\"\\$@\\"; unset GONE_ODD_$GONE_ODD"
    GONE_ODD=$((GONE_ODD - 1))
  done
  unset GONE_ODD
  exec /usr/bin/env -- "$@"
fi
exec "$@"
`

/**
 * Starts a program in a process group of its own, which a Ctrl-C in the terminal does not reach, and which cannot outlive
 * this process, not even when this one is killed. It does not keep this process alive by its pipe.
 */
export function spawnTethered(start: TetheredStart): ChildProcess {
  if (process.platform === 'win32') return spawnInJob(start)
  const { words, env, ownEnv = {}, stdio, lockFile = '', mark, graceMs = GRACE_MS } = start
  const own = Object.entries(ownEnv).map(([name, value]) => `${name}=${value}`)
  const marks = mark === undefined ? [] : [mark]
  const grace = String(Math.ceil(graceMs / 100))
  const child = spawn(
    '/bin/sh',
    ['-c', TETHER, 'gone', lockFile, mark ?? '', grace, ...own, ...marks, '--', ...words],
    { stdio: [...stdio, 'pipe'], ...(env && { env: throughShell(env) }), detached: true },
  )
  const tether = child.stdio[3] as Writable & { unref(): void }
  tether.on('error', () => {})
  tether.unref()
  // The line lets the watcher go. The pipe is one of the streams whose end makes the child's `close`.
  child.once('exit', () => tether.end('\n', () => tether.destroy()))
  return child
}

/** With what a shell would leave out under names that it takes. */
function throughShell(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const entries = Object.entries(env)
  const odd = entries.filter(([name, value]) => !SHELL_NAME.test(name) && value !== undefined)
  if (odd.length === 0) return env
  return Object.fromEntries([
    ...entries.filter(([name]) => SHELL_NAME.test(name)),
    ...odd.map(([name, value], index) => [`GONE_ODD_${index + 1}`, `${name}=${value}`]),
    ['GONE_ODD', String(odd.length)],
  ])
}

/** There, Node puts children into a job object, which ends them with this process. */
function spawnInJob({ words, env, stdio }: TetheredStart): ChildProcess {
  const [program = '', ...rest] = words
  return spawn(program, rest, { stdio: [...stdio], ...(env && { env }), windowsHide: true })
}
