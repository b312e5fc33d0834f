import type { Command } from 'commander'
import { visible } from '../../core/printable.ts'
import { helpText } from '../ask.ts'
import { addServerOption } from '../server-options.ts'
import { type Colors, colorsOf, EXIT } from '../terminal.ts'
import { hanging } from '../text/wrapped.ts'
import type { Finding } from './findings.ts'

interface DoctorOptions {
  readonly server: string
  readonly json?: boolean
}

const COLUMNS = 80
const KIND_WIDTH = 7
const ABOUT_WIDTH = 10

/** `gone doctor`: what is wrong with what is set up here, and what would be right. */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('say what is wrong with settings, Redis, clocks, versions and proxies')
  addServerOption(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      helpText(
        [
          'gone doctor',
          'REDIS_URL=redis://redis:6379 gone doctor',
          'gone doctor --server https://gone.example.com',
        ],
        ['nothing is wrong', 'something is'],
        'bad usage',
      ),
    )
    .action(doctor)
}

async function doctor({ server, json }: DoctorOptions, command: Command): Promise<void> {
  const isNamed = command.getOptionValueSource('server') !== 'default'
  const [{ readFacts }, { findingsOf }] = await Promise.all([import('./facts.ts'), import('./findings.ts')])
  const findings = findingsOf(await readFacts(process.env, server, isNamed))
  const isWell = findings.every(({ kind }) => kind !== 'wrong')
  const text = findings.map((finding) => lineOf(finding, colorsOf(process.stdout))).join('\n')
  process.stdout.write(`${json ? JSON.stringify({ isWell, findings }) : text}\n`)
  process.exitCode = isWell ? EXIT.done : EXIT.notNow
}

function lineOf({ kind, about, detail }: Finding, { green, yellow, red }: Colors): string {
  const color = { ok: green, note: yellow, wrong: red }[kind]
  const begin = KIND_WIDTH + ABOUT_WIDTH
  return `${color(kind.padEnd(KIND_WIDTH))}${about.padEnd(ABOUT_WIDTH)}${hanging(visible(detail), begin, COLUMNS)}`
}
