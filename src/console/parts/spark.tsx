import { h, type VNode } from '../lib/preact.js'

interface SparkProps {
  readonly title: string
  readonly values: readonly number[]
  readonly unit?: string
  readonly tone?: 'accent' | 'bad'
  /** What is said of it; default: the last and the highest value. */
  readonly said?: string
}

const [WIDTH, HEIGHT] = [560, 44]

/** A line of values, oldest first, with a sentence that says the same. */
export function Spark({ title, values, unit = '', tone = 'accent', said }: SparkProps): VNode {
  const max = Math.max(1, ...values)
  const x = (index: number) => (index / Math.max(1, values.length - 1)) * WIDTH
  const y = (value: number) => HEIGHT - 2 - (value / max) * (HEIGHT - 6)
  // Of one value there is no line but a level one.
  const drawn = values.length === 1 ? [...values, ...values] : values
  const line = drawn.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const words =
    said ??
    (values.length === 0
      ? 'nothing yet'
      : `now ${values.at(-1)} ${unit}, at most ${Math.max(...values)} ${unit}`)
  return (
    <figure class={tone === 'bad' ? 'spark failing' : 'spark'}>
      <figcaption>
        {title} <span class="quiet">{words}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <polygon points={`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
        <polyline points={line} />
      </svg>
    </figure>
  )
}
