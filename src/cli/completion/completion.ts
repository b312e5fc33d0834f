import { Argument, type Command } from 'commander'
import { createClient, type GoneClient } from '../../client/client.ts'
import { helpText } from '../ask.ts'
import { clientOptions, ownServer } from '../server-options.ts'
import { type Asked, placeOf } from './place.ts'

/** Whoever presses Tab waits for it. */
const ANSWER_WITHIN_MS = 1_000
/** A shell would read other characters of a name as something else, or even run them. */
const PLAIN = /^[\w.@:/%+=,~-]+$/

/**
 * Each asks `gone completion words` what may stand where the cursor is, one word a line. Files are offered where nothing is. Bash takes
 * characters such as those of a slot for ends of words: what no blank parts is one, of which it wants what comes after the last such, with an `@`.
 */
const SCRIPTS = {
  bash: `_gone() {
  local IFS=$'\\n' rest=\${COMP_LINE:0:COMP_POINT} words=() word
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ \${#words[@]} -eq 0 || $rest == [[:blank:]]* ]]; then
      words+=("")
      rest=\${rest#"\${rest%%[![:blank:]]*}"}
    fi
    [[ $rest == "$word"* ]] || word=$rest
    words[\${#words[@]}-1]+=$word
    rest=\${rest#"$word"}
  done
  word=\${words[\${#words[@]}-1]}
  COMPREPLY=($(gone completion words -- "\${words[@]:1}" 2>/dev/null))
  word=\${word%"\${word##*[$COMP_WORDBREAKS]}"}
  COMPREPLY=("\${COMPREPLY[@]#"\${word%@}"}")
}
complete -o default -F _gone gone`,
  zsh: `#compdef gone
_gone() {
  local -a found
  found=("\${(@f)$(gone completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
if [[ "$funcstack[1]" == _gone ]]; then _gone "$@"; else compdef _gone gone; fi`,
  fish: `function __gone_words
  set -l words (commandline -opc) (commandline -ct)
  set -l found (gone completion words -- $words[2..-1] 2>/dev/null)
  if test -n "$found"
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c gone -f -a '(__gone_words)'`,
} as const

type Shell = keyof typeof SCRIPTS

/** `gone completion`: what makes a shell complete commands, options, and the names that a server knows. */
export function addCompletion(program: Command): void {
  const completion = program.command('completion').description('have the shell complete what you type')
  for (const shell of Object.keys(SCRIPTS) as Shell[]) addScript(completion, shell)
  completion
    .command('words', { hidden: true })
    .description('what may stand in the place of the last word, a line each')
    .addArgument(new Argument('[words...]', 'what is typed after gone'))
    .addHelpText('after', helpText(["gone completion words -- schedule pause ''"], ['printed']))
    .action(async (words: readonly string[]) => {
      for (const word of await wordsOf(program, words)) process.stdout.write(`${word}\n`)
    })
}

function addScript(completion: Command, shell: Shell): void {
  const examples = {
    bash: ['source <(gone completion bash)', 'gone completion bash >> ~/.bashrc'],
    zsh: ['source <(gone completion zsh)', 'gone completion zsh >> ~/.zshrc'],
    fish: ['gone completion fish | source', 'gone completion fish > ~/.config/fish/completions/gone.fish'],
  }[shell]
  completion
    .command(shell)
    .description(`print the script for ${shell}`)
    .addHelpText('after', helpText(examples, ['printed']))
    .action(() => void process.stdout.write(`${SCRIPTS[shell]}\n`))
}

async function wordsOf(program: Command, typed: readonly string[]): Promise<readonly string[]> {
  const { words, asked } = placeOf(program, typed)
  const begun = typed.at(-1) ?? ''
  const known = asked === undefined ? [] : (await knownBy(asked)).filter((name) => PLAIN.test(name))
  return [...new Set([...words, ...known])].filter((word) => word.startsWith(begun)).sort()
}

/** What the server of this environment knows; nothing where none answers, for a shell that completes says no errors. */
async function knownBy({ name, group, before }: Asked): Promise<readonly string[]> {
  const find = SOURCES[`${group} ${name}`] ?? SOURCES[name]
  if (find === undefined) return []
  const server = process.env.GONE_URL?.trim() || ownServer(process.env)
  try {
    const client = createClient(clientOptions({ server, timeout: ANSWER_WITHIN_MS }))
    return await find(client, before)
  } catch {
    return []
  }
}

/** Of how many rounds names are offered, the newest. */
const NEWEST = 100

type Source = (client: GoneClient, before: readonly string[]) => Promise<readonly string[]>

const instances: Source = async ({ fleet }) => (await fleet.instances()).map(({ id }) => id)

const SOURCES: Readonly<Record<string, Source>> = {
  system: async (client) => {
    const found = await Promise.all([client.schedules.list(), client.rounds({ limit: NEWEST })])
    return found.flat().map(({ system }) => system)
  },
  round: async ({ rounds }, [system = '']) =>
    (await rounds({ system, limit: NEWEST })).map(({ round }) => round),
  name: async ({ schedules }, [system]) =>
    (await schedules.list()).filter((one) => one.system === system).map(({ name }) => name),
  worker: async ({ fleet }) =>
    (await fleet.instances()).flatMap(({ workers }) => workers.map(({ name }) => name)),
  'fleet id': instances,
  host: async ({ fleet }) => (await fleet.instances()).map(({ host }) => host),
  region: async ({ fleet }) => (await fleet.instances()).map(({ region }) => region),
  release: async ({ fleet }) => (await fleet.instances()).map(({ release }) => release),
}
