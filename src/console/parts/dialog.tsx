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
  /** The same as a command. */
  readonly command?: string
  readonly needs?: 'reason'
  /** Has to be typed first. */
  readonly typed?: string
  readonly isBad?: true
  /** What is asked of the API, once the person has agreed. */
  readonly request: (reason: string) => readonly [path: string, asking: Asking]
  /** What is told once it is done. */
  readonly done: (answer: unknown) => Told
}

interface Open extends Question {
  isBusy: boolean
  trouble: string | undefined
  reason: string
  typedNow: string
}

let open: Open | undefined

export function question(next: Question): void {
  open = { ...next, isBusy: false, trouble: undefined, reason: '', typedNow: '' }
  draw()
}

/** Does at once what needs no question, and tells how it went. */
export async function act(path: string, asking: Asking, done: (answer: unknown) => Told): Promise<void> {
  try {
    const told = done(await ask(path, asking))
    tell(told)
  } catch (error) {
    tell({ text: `Not done: ${wordsOf(error)}` })
  }
  askAgain()
}

async function go(current: Open): Promise<void> {
  current.isBusy = true
  current.trouble = undefined
  draw()
  try {
    const [path, asking] = current.request(current.reason.trim())
    tell(current.done(await ask(path, asking)))
    close()
  } catch (error) {
    current.trouble = wordsOf(error)
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
  const isReady =
    (current.needs === undefined || current.reason.trim() !== '') &&
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
        {current.needs === 'reason' && textBox('Reason', current.reason, (text) => (current.reason = text))}
        {current.typed !== undefined &&
          textBox(`Type ${current.typed}`, current.typedNow, (text) => (current.typedNow = text))}
        {current.trouble !== undefined && (
          <p class="notice bad" role="alert">
            {current.trouble}
          </p>
        )}
        <div class="row">
          <button type="submit" class={current.isBad ? 'bad' : 'main'} disabled={!isReady || current.isBusy}>
            {current.isBusy ? 'Asking…' : current.verb}
          </button>
          <button type="button" onClick={close}>
            Leave it
          </button>
        </div>
      </form>
      {current.command !== undefined && (
        <details>
          <summary>As a command</summary>
          <Command text={current.command} />
        </details>
      )}
    </dialog>
  )
}

function textBox(label: string, value: string, set: (text: string) => void): VNode {
  return (
    <label class="field">
      {label}
      <input
        value={value}
        maxLength={900}
        autocomplete="off"
        onInput={(event) => {
          set(event.currentTarget.value)
          draw()
        }}
      />
    </label>
  )
}

function show(dialog: HTMLDialogElement | null): void {
  if (dialog && !dialog.open) dialog.showModal()
}
