/**
 * What an instance can have too much of: processor time, in percent of a core; how long its event loop keeps a timer waiting, in
 * ms; and of its host how many processes want to run, for each core.
 */
export const PRESSURES = ['cpu', 'loop', 'load'] as const
export type Pressure = (typeof PRESSURES)[number]

/** For people. */
export const PRESSURE_TEXTS: Readonly<Record<Pressure, string>> = {
  cpu: 'it uses too much processor time',
  loop: 'its event loop keeps timers waiting for too long',
  load: 'its host has too much to do',
}

/** How much of it takes an instance out of the pool. Missing: no such is looked at. */
export type PressureLimits = Readonly<Partial<Record<Pressure, number>>>

/** How it was for some time, of late. */
export interface Strain extends Readonly<Record<Pressure, number>> {
  readonly forMs: number
}

export type PressureVerdict = { readonly act: 'leave'; readonly cause: Pressure } | { readonly act: 'return' }

/** Who is back at the limit itself would be out again at once. */
const RETURN_AT = 0.8

/**
 * Whether an instance is to leave the pool, or to come back: by the mean of all that time, so that neither a short step nor a short
 * rest decides.
 *
 * @param strains since it has left or come back, or of the last `lastMs`, where that is shorter
 */
export function judgePressure(
  limits: PressureLimits,
  strains: readonly Strain[],
  { isOut, lastMs }: { readonly isOut: boolean; readonly lastMs: number },
): PressureVerdict | undefined {
  const looked = PRESSURES.filter((one) => limits[one] !== undefined)
  const allMs = strains.reduce((sum, { forMs }) => sum + forMs, 0)
  if (looked.length === 0 || allMs < lastMs) return undefined
  /** Of its limit. */
  const share = (one: Pressure) =>
    strains.reduce((sum, strain) => sum + strain[one] * strain.forMs, 0) / allMs / (limits[one] as number)
  if (isOut) return looked.every((one) => share(one) < RETURN_AT) ? { act: 'return' } : undefined
  const cause = looked.find((one) => share(one) >= 1)
  return cause && { act: 'leave', cause }
}

/** Of these, oldest first, those that the last `lastMs` are made of. */
export function strainsToKeep(strains: readonly Strain[], lastMs: number): readonly Strain[] {
  let leftMs = lastMs
  const first = strains.findLastIndex(({ forMs }) => {
    leftMs -= forMs
    return leftMs <= 0
  })
  return first > 0 ? strains.slice(first) : strains
}
