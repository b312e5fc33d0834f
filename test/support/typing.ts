import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'

export type ShellName = 'bash' | 'zsh'

/** What has come of a key that completes. */
export interface Typed {
  /** What was offered for the last word, or for what of it the shell completes. */
  readonly offered: readonly string[]
  /** The line as it is then. */
  readonly line: string
}

interface Place {
  /** Where the shell finds its settings and says what it has. */
  readonly folder: string
  /** Where it stands. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

const SHOW = '\x18q'

/** As their users have them: what is shown is what the shell itself would show, noted beside. */
const SETTINGS = {
  bash: {
    file: '.bashrc',
    words: (folder: string) => `bash --rcfile ${folder}/.bashrc -i`,
    text: (setUp: string) => `${setUp}
shown() { printf '%s\\n' "$READLINE_LINE" > "$SHOWN/new" && mv "$SHOWN/new" "$SHOWN/line"; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\\C-xq": shown'
noted() { _gone "$@"; printf '%s\\n' "\${COMPREPLY[@]}" > "$SHOWN/offered"; }
complete -o default -F noted gone
PROMPT_COMMAND='touch "$SHOWN/ready"'
`,
  },
  zsh: {
    file: '.zshrc',
    words: () => 'zsh -i',
    text: (setUp: string) => `${setUp}
shown() { print -r -- "$BUFFER" > "$SHOWN/new" && mv "$SHOWN/new" "$SHOWN/line"; BUFFER= }
zle -N shown
bindkey '^Xq' shown
compadd() {
  local -a kept
  builtin compadd -O kept "$@"
  print -rl -- $kept >> "$SHOWN/offered"
  builtin compadd "$@"
}
LISTMAX=10000
precmd() { touch "$SHOWN/ready" }
`,
  },
} as const

/** A real shell at a terminal of its own, in which somebody types; it ends with the test. */
export async function openShell(name: ShellName, setUp: string, { folder, cwd, env }: Place) {
  const { file, words, text } = SETTINGS[name]
  const shown = (what: string) => join(folder, what)
  await writeFile(shown(file), text(setUp))
  await rm(shown('ready'), { force: true })
  const terminal = spawn('script', ['-qec', words(folder), '/dev/null'], {
    cwd,
    env: { ...env, SHOWN: folder, ZDOTDIR: folder, TERM: 'xterm' },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  onTestFinished(() => void terminal.kill('SIGKILL'))
  const isThere = (what: string) => expect.poll(() => existsSync(shown(what)), SOON).toBe(true)
  await isThere('ready')
  return {
    /** Types this, presses Tab, and looks; the line is empty after it. */
    async complete(line: string): Promise<Typed> {
      await Promise.all(['line', 'offered'].map((what) => rm(shown(what), { force: true })))
      terminal.stdin.write(`${line}\t${SHOW}`)
      await isThere('line')
      const read = async (what: string) =>
        existsSync(shown(what)) ? (await readFile(shown(what), 'utf8')).replace(/\n$/, '') : ''
      const offered = (await read('offered')).split('\n').filter((word) => word !== '')
      return { offered: [...new Set(offered)], line: await read('line') }
    },
  }
}

const SOON = { timeout: 90_000, interval: 20 }
