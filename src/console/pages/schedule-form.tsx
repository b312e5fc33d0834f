import type { NextSlotsJson, ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import { ask, askTagged, type Trouble } from '../lib/ask.ts'
import { at } from '../lib/base.ts'
import { zone } from '../lib/choices.ts'
import { draw } from '../lib/draw.ts'
import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from '../parts/empty.tsx'
import { schedulePath } from '../parts/name.tsx'
import { apiPath } from '../parts/schedule-buttons.tsx'
import { bodyIn, type Drawn, EMPTY, formOf } from './schedule-fields.ts'
import { formView, type Preview } from './schedule-form-view.tsx'
import { problemsOf } from './schedule-problems.ts'

/** As one types, but not at each key. */
const PREVIEW_AFTER_MS = 250

/** Makes a schedule, or changes one: what it would do is shown while one writes. */
export function scheduleForm(_: Ground, system?: string, name?: string): Page {
  let form: Drawn = { ...EMPTY, zone: zone(), system: system ?? '', name: name ?? '' }
  let [before, tag] = [undefined as ScheduleJson | undefined, undefined as string | undefined]
  /** How it was before somebody else changed it. */
  let seen: ScheduleJson | undefined
  let preview: Preview = {}
  let [isBusy, saved, asked] = [false, undefined as string | undefined, 0]
  let timer: ReturnType<typeof setTimeout> | undefined
  const isNew = system === undefined || name === undefined
  const title = isNew ? 'New schedule' : `Edit ${system}/${name}`
  const found = follow<ScheduleJson>(() => (isNew || before ? undefined : apiPath({ system, name })), [], {
    onData: (data, tagged) => {
      before = data
      tag = tagged
      form = formOf(data)
      void readPreview()
    },
  })

  function set(field: keyof Drawn, text: string): void {
    form = { ...form, [field]: text }
    saved = undefined
    clearTimeout(timer)
    timer = setTimeout(readPreview, PREVIEW_AFTER_MS)
    draw()
  }

  /** What the server says of it, without keeping it. An answer to what was written before is dropped. */
  async function readPreview(): Promise<void> {
    const mine = ++asked
    if (problemsOf(form).length > 0) return
    const next = await previewOf(form, before)
    if (mine !== asked) return
    preview = next
    draw()
  }

  async function save(): Promise<void> {
    isBusy = true
    draw()
    const refused = await refusalOf(form, before, tag)
    saved = refused && `${refused.message} (${refused.code})`
    if (saved === undefined) location.assign(at(schedulePath(form)))
    else if (refused?.code === 'CHANGED_MEANWHILE' && !isNew) await readAnew()
    isBusy = false
    draw()
  }

  /** What was written stays; what somebody else has changed is shown beside it. */
  async function readAnew(): Promise<void> {
    seen ??= before
    const now = await readNow(apiPath(form))
    if (now) [before, tag] = [now.value ?? before, now.tag]
    void readPreview()
  }

  return {
    title,
    view: () => {
      if (!isNew && before === undefined) return noForm(found.trouble)
      const problems = problemsOf(form)
      const isBlocked = isBusy || problems.length > 0 || preview.trouble?.isPassing === false
      const box = { form, isNew, set, saved, isBlocked, save }
      return formView({ title, box, problems, preview, before, seen })
    },
  }
}

function noForm(trouble: Trouble | undefined): VNode {
  if (trouble?.status === 404) return <Empty>There is no such schedule.</Empty>
  return <Waiting trouble={trouble} />
}

async function previewOf(form: Drawn, before: ScheduleJson | undefined): Promise<Preview> {
  try {
    const body = bodyIn(form, before)
    const { slots } = await ask<NextSlotsJson>(`${apiPath(form)}/preview`, { method: 'POST', body })
    return { next: slots }
  } catch (error) {
    return { trouble: error as Trouble }
  }
}

interface Now {
  readonly value?: ScheduleJson
  readonly tag?: string | undefined
}

/** The schedule as it is; nothing of one that was removed, which who saves again makes anew; undefined where nobody can tell. */
async function readNow(path: string): Promise<Now | undefined> {
  try {
    return await askTagged<ScheduleJson>(path)
  } catch (error) {
    return (error as Trouble).status === 404 ? {} : undefined
  }
}

/** Saves it, if it is as it was seen, or not there as it was not; why it was not saved. */
async function refusalOf(
  form: Drawn,
  before: ScheduleJson | undefined,
  tag: string | undefined,
): Promise<Trouble | undefined> {
  try {
    const body = bodyIn(form, before)
    const seen = tag === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: tag }
    await ask(apiPath(form), { method: 'PUT', body, ...seen })
    return undefined
  } catch (error) {
    return error as Trouble
  }
}
