import type { NextSlotsJson, ScheduleBody, ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import type { Trouble } from '../lib/ask.ts'
import { zone } from '../lib/choices.ts'
import { cronWords } from '../lib/cron-words.ts'
import { h, type VNode } from '../lib/preact.js'
import { coming } from '../lib/times.ts'
import { Empty } from '../parts/empty.tsx'
import { schedulePath } from '../parts/name.tsx'
import { Panel } from '../parts/panel.tsx'
import { bodyIn, changesOf, type Drawn, EMPTY, fieldOf } from './schedule-fields.ts'
import { problemsByField } from './schedule-problems.ts'

export interface Preview {
  readonly next?: NextSlotsJson['slots']
  /** Why it cannot be told; where it is passing, it may be saved all the same. */
  readonly trouble?: Trouble
}

interface FormView {
  readonly title: string
  readonly box: FormBox
  readonly problems: readonly string[]
  readonly preview: Preview
  readonly before: ScheduleJson | undefined
  /** How it was before somebody else changed it. */
  readonly seen: ScheduleJson | undefined
}

/** The form, and beside it what it would do and change. */
export function formView({ title, box, problems, preview, before, seen }: FormView): VNode {
  const all = problems.length > 0 || preview.trouble === undefined ? problems : [preview.trouble.message]
  return (
    <div>
      {headOf(title)}
      <div class="grid">
        {formBox(box, all)}
        <div class="stack">
          <Panel title="What it would do">{previewOf(box.form, all, preview.next)}</Panel>
          {seen && before && <Panel title="What somebody else has changed">{changes(seen, before)}</Panel>}
          {before && problems.length === 0 && (
            <Panel title="What changes">{changes(before, bodyIn(box.form, before))}</Panel>
          )}
        </div>
      </div>
    </div>
  )
}

interface FormBox {
  readonly form: Drawn
  readonly isNew: boolean
  readonly set: (field: keyof Drawn, text: string) => void
  readonly saved: string | undefined
  readonly isBlocked: boolean
  readonly save: () => Promise<void>
}

function formBox({ form, isNew, set, saved, isBlocked, save }: FormBox, problems: readonly string[]): VNode {
  return (
    <form
      class="panel body stack"
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      {fieldsOf(form, isNew, set, problems)}
      {refusedOf(saved)}
      <div class="row">
        <button type="submit" class="main" disabled={isBlocked}>
          {isNew ? 'Make it' : 'Save'}
        </button>
        <a class="button" href={isNew ? '/schedules' : schedulePath(form)}>
          Leave it
        </a>
      </div>
    </form>
  )
}

function headOf(title: string): VNode {
  return (
    <div>
      <p class="crumbs">
        <a href="/schedules">Schedules</a>
      </p>
      <div class="head">
        <h1>{title}</h1>
      </div>
    </div>
  )
}

function refusedOf(why: string | undefined): VNode | null {
  if (why === undefined) return null
  return (
    <p class="notice bad" role="alert">
      {why}
    </p>
  )
}

function fieldsOf(
  form: Drawn,
  isNew: boolean,
  set: (field: keyof Drawn, text: string) => void,
  problems: readonly string[],
): readonly VNode[] {
  const wrong = problemsByField(problems)
  const names = (Object.keys(EMPTY) as (keyof Drawn)[]).filter(
    (name) => isNew || (name !== 'system' && name !== 'name'),
  )
  return names.map((name) => {
    const { label, hint, choices, isLong } = fieldOf(name)
    const id = `field-${name}`
    // Nobody has to be told of what they have not come to yet.
    const problem = form[name] === '' ? undefined : wrong.get(name)
    const shared = {
      id,
      value: form[name],
      'aria-describedby': `${id}-hint`,
      'aria-invalid': problem !== undefined,
      onInput: (event: { readonly currentTarget: { readonly value: string } }) =>
        set(name, event.currentTarget.value),
    }
    return (
      <div class="field" key={name}>
        <label htmlFor={id}>{label}</label>
        {choices ? (
          <select {...shared}>
            {choices.map((choice) => (
              <option key={choice} value={choice} selected={choice === form[name]}>
                {choice}
              </option>
            ))}
          </select>
        ) : isLong ? (
          <textarea {...shared} rows={4} spellcheck={false} />
        ) : (
          <input {...shared} autocomplete="off" spellcheck={false} />
        )}
        <span class={problem === undefined ? 'quiet' : 'wrong'} id={`${id}-hint`}>
          {problem ?? hint}
        </span>
      </div>
    )
  })
}

function previewOf(form: Drawn, [wrong]: readonly string[], next: Preview['next']): VNode {
  if (wrong !== undefined)
    return (
      <div class="body">
        <p class="notice warn" role="status">
          {wrong}
        </p>
      </div>
    )
  const words = form.kind === 'cron' ? cronWords(form.when) : undefined
  return (
    <div class="body">
      {words !== undefined && (
        <p>
          <strong>{words}</strong>, {form.zone}
        </p>
      )}
      {next === undefined ? (
        <p class="quiet">Asking…</p>
      ) : next.length === 0 ? (
        <p class="notice warn">Nothing comes of it.</p>
      ) : (
        <ol class="next">
          {next.map(({ slot, at }) => (
            <li key={slot}>
              <code>{slot}</code> <span class="quiet">{coming(Date.parse(at), zone())}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}

function changes(before: ScheduleJson, body: ScheduleBody): VNode {
  const found = changesOf(before, body)
  if (found.length === 0) return <Empty>Nothing.</Empty>
  return (
    <ul class="diff">
      {found.map(({ name, from, to }) => (
        <li key={name}>
          {name}: <del>{from}</del> <ins>{to}</ins>
        </li>
      ))}
    </ul>
  )
}
