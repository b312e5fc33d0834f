import { createInterface } from 'node:readline/promises'
import { type AskOptions, ask, type Find } from '../ask.ts'

/** How a command of the fleet asks the server, and the person at the terminal: once from the shell of the system, or in our own. */
export interface Asking {
  ask(options: AskOptions, find: Find): Promise<void>
  question(text: string): Promise<string>
}

/** For a command that is a process of its own. */
export const ASKED_ONCE: Asking = {
  ask,
  async question(text) {
    const asking = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return await asking.question(text)
    } finally {
      asking.close()
    }
  },
}

/** Asks the person at the terminal; where there is none, --yes has to say it. */
export async function isMeant(table: string, what: string, question: Asking['question']): Promise<boolean> {
  process.stderr.write(`${table}\n`)
  if (process.stdin.isTTY) return /^y(es)?$/i.test((await question(`${what}? [y/N] `)).trim())
  process.stderr.write(`${what}? say --yes where nobody can be asked\n`)
  return false
}
