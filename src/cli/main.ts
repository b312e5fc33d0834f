#!/usr/bin/env node
import { type Command, CommanderError } from 'commander'
import { exitWhenRead } from '../process/exit.ts'
import { EXIT, exitWith } from './terminal.ts'

try {
  const program = await programFor(process.argv[2])
  await program.parseAsync()
} catch (error) {
  // Help, or bad usage, of which all is said.
  if (error instanceof CommanderError) await exitWhenRead(error.exitCode === 0 ? EXIT.done : EXIT.unknown)
  await exitWith(error)
}

/** A server runs for long, and the other commands would be in its memory. */
async function programFor(command: string | undefined): Promise<Command> {
  if (command !== 'serve') return (await import('./program.ts')).createProgram()
  const [{ bareProgram }, { addServe }] = await Promise.all([
    import('./bare-program.ts'),
    import('./serve.ts'),
  ])
  const program = bareProgram()
  addServe(program)
  return program
}
