import { addressWith, asked } from '../lib/address.ts'
import { at, shownPath } from '../lib/base.ts'
import { h, type VNode } from '../lib/preact.js'

export interface Field {
  readonly name: string
  readonly label: string
  /** Missing: any text. */
  readonly choices?: readonly (readonly [value: string, text: string])[]
  readonly isSearch?: true
  /** What may be written there. */
  readonly example?: string
}

/** What a list is narrowed by; its answer is another address. */
export function Filters({ fields }: { readonly fields: readonly Field[] }): VNode {
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    const words = fields.map(({ name }) => [name, String(data.get(name) ?? '').trim()])
    location.assign(at(addressWith({ ...Object.fromEntries(words), before: undefined })))
  }
  const used = fields.filter(({ name }) => asked(name) !== undefined)
  return (
    <search class="filters">
      <form onSubmit={onSubmit}>
        {fields.map((field) => (
          <label key={field.name} htmlFor={`filter-${field.name}`}>
            {field.label}
            {inputOf(field)}
          </label>
        ))}
        <button type="submit">Filter</button>
      </form>
      {used.length > 0 && (
        <p class="chips">
          {used.map(({ name, label }) => (
            <a key={name} href={addressWith({ [name]: undefined, before: undefined })}>
              {label.toLowerCase()}: {asked(name)} <span aria-hidden="true">✕</span>
              <span class="unseen"> (take away)</span>
            </a>
          ))}
          <a href={shownPath()}>Clear all</a>
        </p>
      )}
    </search>
  )
}

function inputOf({
  name,
  choices,
  isSearch,
  example = isSearch ? 'text in its name   /' : '',
}: Field): VNode {
  const value = asked(name) ?? ''
  if (choices === undefined)
    return (
      <input
        name={name}
        id={`filter-${name}`}
        defaultValue={value}
        maxLength={128}
        autocomplete="off"
        spellcheck={false}
        {...(isSearch && { 'data-search': true })}
        placeholder={example}
      />
    )
  return (
    <select name={name} id={`filter-${name}`}>
      {choices.map(([choice, text]) => (
        <option key={choice} value={choice} selected={choice === value}>
          {text}
        </option>
      ))}
    </select>
  )
}

export interface Tab {
  readonly value: string | undefined
  readonly text: string
  readonly count?: string | number | undefined
  readonly tone?: string
}

/** One word of the address, as tabs with counts. */
export function Tabs({
  name,
  tabs,
  label,
}: {
  readonly name: string
  readonly tabs: readonly Tab[]
  readonly label: string
}): VNode {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ value, text, count, tone = '' }) => (
        <a
          key={text}
          href={addressWith({ [name]: value, before: undefined })}
          {...(asked(name) === value && { 'aria-current': 'true' as const })}
        >
          {text} {count !== undefined && <b class={count === 0 ? '' : tone}>{count}</b>}
        </a>
      ))}
    </nav>
  )
}
