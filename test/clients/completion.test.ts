import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type CompletionWorld, tryCompletion } from '../support/completion.ts'
import { openShell } from '../support/typing.ts'

/** From its start-up file, and from a file of its own, which may be below a folder that anybody may write. */
const OF_ZSH = [
  'source <(gone completion zsh)',
  'gone completion zsh > $ZDOTDIR/_gone; fpath+=$ZDOTDIR; autoload -Uz compinit; compinit -u',
]
let opened = 0

tryCompletion('zsh', (world) => {
  opened += 1
  return openShell('zsh', OF_ZSH[opened % OF_ZSH.length] ?? '', world)
})

/** Says itself what it would offer, as after a Tab. */
function openFish({ folder, cwd, env }: CompletionWorld) {
  return {
    async complete(line: string) {
      const words = ['--no-config', '-c', 'gone completion fish | source; complete -C $argv[1]', line]
      const { stdout } = await promisify(execFile)('fish', words, { cwd, env: { ...env, HOME: folder } })
      const offered = stdout
        .split('\n')
        .flatMap((one) => one.split('\t').slice(0, 1))
        .filter(Boolean)
      const [only, ...more] = offered
      const isOne = only !== undefined && more.length === 0
      return { offered, line: isOne ? line.replace(/\S*$/, `${only} `) : line }
    },
  }
}

tryCompletion('fish', async (world) => openFish(world))
