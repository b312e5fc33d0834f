import type { Command } from 'commander'
import {
  type SettingsTarget,
  settingsTarget,
  type TargetSettingsJson,
  type WorkerSettings,
} from '../../core/fleet/worker-settings.ts'
import { visible } from '../../core/printable.ts'
import { durationText } from '../../core/time/duration.ts'
import { type AskOptions, addAskOptions, given, helpText } from '../ask.ts'
import { backoff, duration, json, whole } from '../option-values.ts'
import type { Colors } from '../terminal.ts'
import { detailsOf, tableOf } from '../text/table.ts'
import type { Asking } from './asking.ts'

interface SetOptions extends AskOptions {
  readonly concurrency?: number
  readonly attempts?: number
  readonly jobTimeout?: number
  readonly backoff?: NonNullable<WorkerSettings['backoff']>
  readonly config?: unknown
  readonly reason?: string
  readonly to?: number
}

/** `gone fleet config ...`: what workers are configured with, from one place. */
export function addConfig(fleet: Command, asking: Asking): void {
  const config = fleet
    .command('config')
    .description('set how workers run, and what they are configured with, from one place')
    .addHelpText(
      'after',
      `
Examples:
  $ gone fleet config
  $ gone fleet config set worker/mailer --concurrency 8 --config '{"from":"shop@example.com"}'
  $ gone fleet config rollback worker/mailer`,
    )
  addList(config, asking)
  addShow(config, asking)
  addSet(config, asking)
  addBack(config, asking, 'rollback')
  addBack(config, asking, 'remove')
}

function addList(config: Command, asking: Asking): void {
  const command = config.command('list', { isDefault: true }).description('list what is set')
  addAskOptions(command)
    .addHelpText('after', helpText(['gone fleet config list'], ['shown, also if there is none']))
    .action((options: AskOptions) =>
      asking.ask(options, async (client, colors) => {
        const all = await client.fleet.config.list()
        return { isDone: true, text: all.length === 0 ? 'nothing is set' : listText(all, colors), json: all }
      }),
    )
}

function addShow(config: Command, asking: Asking): void {
  const command = config
    .command('show')
    .description('show what is set of one, what was before, and who has it')
    .argument('<target>', 'worker/<name> or instance/<id>')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(['gone fleet config show worker/mailer'], ['shown', 'nothing was ever set']),
    )
    .action((text: string, options: AskOptions) =>
      asking.ask(options, async (client, colors) => {
        const target = targetIn(text)
        const found = await client.fleet.config.get(target)
        if (!found) return { isDone: false, text: colors.yellow(`${text}: nothing is set`), json: null }
        const field = target.of === 'worker' ? { worker: target.name } : { id: target.name }
        const instances = await client.fleet.instances(field)
        const taken = instances.flatMap(({ id, workers }) =>
          workers.flatMap(({ name, settings }) =>
            settings && (target.of === 'instance' || name === target.name)
              ? [
                  [
                    id,
                    settings.refused
                      ? colors.red(visible(`refused: ${settings.refused}`))
                      : `has ${settings.revision}`,
                  ] as const,
                ]
              : [],
          ),
        )
        const text_ = detailsOf(text, [...rowsOf(found), ...taken], colors)
        return { isDone: true, text: text_, json: { ...found, instances } }
      }),
    )
}

function addSet(config: Command, asking: Asking): void {
  const command = config
    .command('set')
    .description('set it as a whole: what is left out is as the file of the worker says')
    .argument('<target>', 'worker/<name> or instance/<id>')
    .option('--concurrency <n>', 'how many jobs an instance runs at once', whole)
    .option('--attempts <n>', 'how many attempts a job has that does not say', whole)
    .option('--job-timeout <duration>', 'how long an attempt may take', duration)
    .option('--backoff <type:delay>', 'what a new attempt waits, such as exponential:1s', backoff)
    .option('--config <json>', 'what handlers read as context.config', json)
    .option('--reason <text>', 'why')
  addAskOptions(command)
    .addHelpText('after', helpText(['gone fleet config set worker/mailer --concurrency 8'], ['set']))
    .action((text: string, options: SetOptions) =>
      asking.ask(options, async (client, colors) => {
        const settings = settingsIn(options)
        const set = await client.fleet.config.put(targetIn(text), settings, given({ reason: options.reason }))
        return { isDone: true, text: detailsOf(text, rowsOf(set), colors), json: set }
      }),
    )
}

function addBack(config: Command, asking: Asking, verb: 'rollback' | 'remove'): void {
  const isRollback = verb === 'rollback'
  const command = config
    .command(verb)
    .description(
      isRollback ? 'set again what was set before the last change' : 'let the file of the worker hold again',
    )
    .argument('<target>', 'worker/<name> or instance/<id>')
    .option('--reason <text>', 'why')
  if (isRollback) command.option('--to <revision>', 'what was set under this revision', whole)
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText([`gone fleet config ${verb} worker/mailer`], ['done', 'nothing was ever set']),
    )
    .action((text: string, options: SetOptions) =>
      asking.ask(options, async (client, colors) => {
        const more = given({ reason: options.reason, to: options.to })
        const { config: calls } = client.fleet
        const set = await (isRollback
          ? calls.rollBack(targetIn(text), more)
          : calls.remove(targetIn(text), more))
        return { isDone: true, text: detailsOf(text, rowsOf(set), colors), json: set }
      }),
    )
}

function targetIn(text: string): SettingsTarget {
  const [of = '', name = ''] = text.split('/')
  return settingsTarget({ of, name })
}

function settingsIn({ concurrency, attempts, jobTimeout, backoff, config }: SetOptions): WorkerSettings {
  return {
    ...given({ concurrency, attempts, backoff, config }),
    ...(jobTimeout !== undefined && { timeout: durationText(jobTimeout) }),
  }
}

function rowsOf({ revisions }: TargetSettingsJson): readonly (readonly [string, string])[] {
  return revisions.map(({ revision, at, actor, reason, settings }, index) => [
    `${index === 0 ? 'now' : 'was'} ${revision}`,
    visible(
      `${settings === null ? 'nothing' : JSON.stringify(settings)}  ${at} by ${actor}${reason && `: ${reason}`}`,
    ),
  ])
}

function listText(all: readonly TargetSettingsJson[], colors: Colors): string {
  const rows = all.map(({ of, name, revision, settings }) => [
    `${of}/${name}`,
    String(revision),
    settings === null ? 'nothing' : visible(JSON.stringify(settings)),
  ])
  return tableOf(['of', 'revision', 'settings'], rows, { colors })
}
