import { Command } from 'commander'
import { VERSION } from '../version.ts'

/** `gone` without a command. */
export function bareProgram(): Command {
  return new Command('gone')
    .description('Every replica fires, one runs.')
    .version(VERSION)
    .configureOutput({
      outputError: (text, write) =>
        write(
          `gone: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')} (see --help)\n`,
        ),
    })
    .exitOverride()
}
