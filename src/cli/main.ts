#!/usr/bin/env node
import { CommanderError } from 'commander'
import { exitWhenRead } from '../process/exit.ts'
import { programFor } from './program.ts'
import { EXIT, exitWith, heedUnread } from './terminal.ts'

/** What these do goes on when nobody reads what they print. */
const LASTING = ['demo', 'serve', 'once', 'work']

heedUnread(LASTING.some((name) => name === process.argv[2]))
try {
  const program = await programFor(process.argv[2])
  await program.parseAsync()
} catch (error) {
  // Help, or bad usage, of which all is said.
  if (error instanceof CommanderError) await exitWhenRead(error.exitCode === 0 ? EXIT.done : EXIT.unknown)
  await exitWith(error)
}
