#!/usr/bin/env node
import { CommanderError } from 'commander'
import { exitWhenRead } from '../process/exit.ts'
import { createProgram } from './program.ts'
import { EXIT, exitWith } from './terminal.ts'

try {
  await createProgram().parseAsync()
} catch (error) {
  // Help, or bad usage, of which all is said.
  if (error instanceof CommanderError) await exitWhenRead(error.exitCode === 0 ? EXIT.done : EXIT.unknown)
  await exitWith(error)
}
