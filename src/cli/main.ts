#!/usr/bin/env node
import { Command } from 'commander'
import { VERSION } from '../app.ts'
import { GoneError } from '../errors.ts'
import { addServe } from './serve.ts'

/** Exit codes: 0 won or done, 1 lost or not yet, 2 could not tell. */
const COULD_NOT_TELL = 2

const program = new Command('gone')
  .description('Every replica fires, one runs.')
  .version(VERSION)
  .showHelpAfterError('(see --help)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : COULD_NOT_TELL))
addServe(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof GoneError)) throw error
  process.stderr.write(`gone: ${error.message}\n`)
  process.exit(COULD_NOT_TELL)
}
