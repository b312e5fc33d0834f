const WORDS = [
  { kind: 'added', done: 'added', toDo: 'to add' },
  { kind: 'changed', done: 'changed', toDo: 'to change' },
  { kind: 'removed', done: 'removed', toDo: 'to remove' },
] as const

/** What an apply does with one thing. `kept`: it is on the server, not in the file, and not to be removed. */
export interface Planned {
  readonly kind: (typeof WORDS)[number]['kind'] | 'kept'
}

/** Such as `1 added, 2 changed, 1 kept (--prune removes it)`, or what is yet to be done. */
export function summaryText(steps: readonly Planned[], { isDone }: { readonly isDone: boolean }): string {
  const count = (kind: Planned['kind']) => steps.filter((step) => step.kind === kind).length
  const counts = WORDS.filter(({ kind }) => count(kind) > 0).map(
    ({ kind, done, toDo }) => `${count(kind)} ${isDone ? done : toDo}`,
  )
  const kept = count('kept')
  return [
    counts.length === 0 ? 'nothing to change' : counts.join(', '),
    ...(kept > 0 ? [`${kept} kept (--prune removes ${kept === 1 ? 'it' : 'them'})`] : []),
    ...(counts.length > 0 && !isDone ? ['nothing changed by --dry-run'] : []),
  ].join('; ')
}
