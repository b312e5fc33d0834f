// Preloaded into a process whose clock is to be wrong: SKEW_MS says by how much. Its stopwatch is right.
const skewMs = Number(process.env.SKEW_MS ?? 0)
const RealDate = Date
const realNow = RealDate.now.bind(RealDate)

class SkewedDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(realNow() + skewMs)
    else super(...args)
  }

  static now() {
    return realNow() + skewMs
  }
}

globalThis.Date = SkewedDate
