import { type Asking, ask, Trouble } from '../lib/ask.ts'
import { draw } from '../lib/draw.ts'
import { askAgain } from '../lib/follow.ts'
import { type ComponentChildren, h, type VNode } from '../lib/preact.js'
import { type Told, tell } from '../lib/told.ts'
import { Command } from './name.tsx'

/** Something to be done, before it is. */
export interface Question {
  readonly title: string
  /** One sentence of what will happen. */
  readonly what: ComponentChildren
  /** On the button. */
  readonly verb: string
  /** The same as a command, with what was said so far. */
  readonly command?: string | ((said: string) => string)
  readonly needs?: 'reason'
  /** One more thing that has to be said, with what it most likely is. */
  readonly asks?: { readonly label: string; readonly likely: readonly string[] }
  /** Has to be typed first. */
  readonly typed?: string
  readonly isBad?: true
  /** What may be done all the same, where it is refused for this. */
  readonly insist?: { readonly code: string; readonly label: string }
  /** What is asked of the API, once the person has agreed. */
  readonly request: (agreed: Agreed) => readonly [path: string, asking: Asking]
  /** What is told once it is done. */
  readonly done: (answer: unknown, agreed: Agreed) => Told
}

/** What the person has said. */
export interface Agreed {
  readonly reason: string
  /** What was asked for besides. */
  readonly said: string
  readonly insists: boolean
}

interface Open extends Question {
  isBusy: boolean
  trouble: string | undefined
  canInsist: boolean
  insists: boolean
  reason: string
  said: string
  typedNow: string
}

let open: Open | undefined

export function question(next: Question): void {
  const said = next.asks?.likely[0] ?? ''
  const own = { isBusy: false, trouble: undefined, canInsist: false, insists: false }
  open = { ...next, ...own, reason: '', said, typedNow: '' }
  draw()
}

/** Does at once what needs no question, and tells how it went. @returns false where nobody has said whether it is done */
export async function act(path: string, asking: Asking, done: (answer: unknown) => Told): Promise<boolean> {
  let isAnswered = true
  try {
    const told = done(await ask(path, asking))
    tell(told)
  } catch (error) {
    isAnswered = !(error as Trouble).isPassing
    tell({ text: `Not done: ${wordsOf(error)}` })
  }
  askAgain()
  return isAnswered
}

async function go(current: Open): Promise<void> {
  current.isBusy = true
  current.trouble = undefined
  draw()
  try {
    const { insists } = current
    const agreed = { reason: current.reason.trim(), said: current.said.trim(), insists }
    const [path, asking] = current.request(agreed)
    tell(current.done(await ask(path, asking), agreed))
    close()
  } catch (error) {
    current.trouble = wordsOf(error)
    current.canInsist = current.insist !== undefined && (error as Trouble).code === current.insist.code
  }
  current.isBusy = false
  askAgain()
  draw()
}

function wordsOf(error: unknown): string {
  return error instanceof Trouble ? `${error.message} (${error.code})` : String(error)
}

function close(): void {
  document.querySelector<HTMLDialogElement>('#question')?.close()
  open = undefined
  draw()
}

export function QuestionDialog(): VNode | null {
  if (open === undefined) return null
  const current = open
  const { asks, command } = current
  const isReady =
    (current.needs === undefined || current.reason.trim() !== '') &&
    (asks === undefined || current.said.trim() !== '') &&
    (current.typed === undefined || current.typedNow === current.typed)
  return (
    <dialog id="question" aria-labelledby="question-title" ref={show} onClose={close}>
      <h2 id="question-title">{current.title}</h2>
      <div class="what">{current.what}</div>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (isReady && !current.isBusy) void go(current)
        }}
      >
        {asks && textBox(asks.label, current.said, (text) => (current.said = text), asks.likely)}
        {current.needs === 'reason' && textBox('Reason', current.reason, (text) => (current.reason = text))}
        {current.typed !== undefined &&
          textBox(`Type ${current.typed}`, current.typedNow, (text) => (current.typedNow = text))}
        {current.trouble !== undefined && (
          <p class="notice bad" role="alert">
            {current.trouble}
          </p>
        )}
        {(current.canInsist || current.insists) && insisting(current)}
        <div class="row">
          <button type="submit" class={current.isBad ? 'bad' : 'main'} disabled={!isReady || current.isBusy}>
            {current.isBusy ? 'Asking…' : current.verb}
          </button>
          <button type="button" onClick={close}>
            Leave it
          </button>
        </div>
      </form>
      {command !== undefined && (
        <details>
          <summary>As a command</summary>
          <Command text={typeof command === 'string' ? command : command(current.said.trim())} />
        </details>
      )}
    </dialog>
  )
}

function insisting(current: Open): VNode {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={current.insists}
        onChange={() => {
          current.insists = !current.insists
          draw()
        }}
      />{' '}
      {current.insist?.label}
    </label>
  )
}

function textBox(
  label: string,
  value: string,
  set: (text: string) => void,
  likely: readonly string[] = [],
): VNode {
  return (
    <label class="field">
      {label}
      <input
        value={value}
        maxLength={900}
        autocomplete="off"
        spellcheck={false}
        {...(likely.length > 0 && { type: 'text' as const, list: 'question-likely' })}
        onInput={(event) => {
          set(event.currentTarget.value)
          draw()
        }}
      />
      {likely.length > 0 && (
        <datalist id="question-likely">
          {likely.map((text) => (
            <option key={text} value={text} />
          ))}
        </datalist>
      )}
    </label>
  )
}

function show(dialog: HTMLDialogElement | null): void {
  if (dialog && !dialog.open) dialog.showModal()
}
