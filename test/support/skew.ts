// Preloaded into a process whose clock is to be wrong: CLOCK_SKEW_MS ahead of this machine's, or behind where negative.
const skewMs = Number(process.env.CLOCK_SKEW_MS ?? 0)
const OwnDate = Date
const ownNow = Date.now

globalThis.Date = class extends OwnDate {
  constructor(...given: [number?]) {
    super(...((given.length === 0 ? [ownNow() + skewMs] : given) as [number]))
  }

  static override now(): number {
    return ownNow() + skewMs
  }
} as DateConstructor
