import { type Command, Option } from 'commander'
import type { WorkerCallOptions } from '../../client/define-worker.ts'
import { visible } from '../../core/printable.ts'
import { GoneError } from '../../errors.ts'
import { type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { json } from '../option-values.ts'
import { dataIn } from './submit.ts'

interface CallCommand extends AskOptions {
  readonly data?: unknown
  readonly dataFile?: string
  readonly system?: string
  readonly within?: string
  readonly request?: string
  readonly once?: boolean
  readonly queue?: boolean
  readonly region?: string
}

const EXAMPLES = [
  `gone call upcase --data '{"text":"hello"}'`,
  'gone call fibonacci --data 6 --within 30s --json',
  'gone call billing --data-file order.json --once --request order-4711',
]

/** `gone call`: asks a worker, and prints what its handler returns. */
export function addCall(program: Command): void {
  const command = program
    .command('call')
    .description('ask a worker, and print what its handler returns')
    .argument('<worker>', 'the worker that is asked')
    .addOption(new Option('--data <json>', 'what it is given').argParser(json))
    .addOption(new Option('--data-file <file>', 'the same from a file, or - for stdin').conflicts('data'))
    .option('--system <name>', "whose rounds the call is of (default: the worker's name)")
    .option('--within <duration>', 'how long it may take (default: 10s, up to 10m)')
    .option('--request <token>', 'the same again is the same call')
    .option('--once', 'started once, also where its worker dies')
    .option('--queue', 'wait where no worker is there')
    .option('--region <region>', 'where it is run while an instance of the worker takes jobs there')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(EXAMPLES, [
        'its handler has returned something',
        'its handler has failed, or had no end in time',
      ]),
    )
    .action(call)
}

const NO: ReadonlySet<string> = new Set(['CALL_FAILED', 'CALL_GIVEN_UP'])

async function call(worker: string, options: CallCommand): Promise<void> {
  const { within: timeout, system, request, queue, region, once } = options
  const data = options.dataFile === undefined ? options.data : dataIn(options.dataFile)
  const terms = given({ timeout, system, request, queue, region }) as WorkerCallOptions
  await ask(options, async (client, { yellow }) => {
    try {
      const result = await (once ? client.callOnce(worker, data, terms) : client.call(worker, data, terms))
      const text = typeof result === 'string' ? result : (JSON.stringify(result) ?? '')
      return { isDone: true, text: visible(text), json: { outcome: 'completed', result } }
    } catch (error) {
      if (!(error instanceof GoneError && NO.has(error.code))) throw error
      const { code, message: reason } = error
      const isGivenUp = code === 'CALL_GIVEN_UP' && { isGivenUp: true }
      return {
        isDone: false,
        text: yellow(visible(reason)),
        json: { outcome: 'failed', reason, ...isGivenUp },
      }
    }
  })
}
