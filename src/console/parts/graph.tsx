import type { MarkJson } from '../../core/fleet/series-wire.ts'
import { zone } from '../lib/choices.ts'
import { serverNowMs } from '../lib/clock.ts'
import { h, type VNode } from '../lib/preact.js'
import { moment } from '../lib/times.ts'

export interface GraphPoint {
  readonly atMs: number
  /** Missing where there is none of that time. */
  readonly value: number | undefined
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
  /** Points that lie further apart are not joined. */
  readonly stepMs: number
  readonly marks: readonly MarkJson[]
}

interface GraphProps {
  readonly title: string
  readonly lines: readonly (readonly GraphPoint[])[]
  readonly span: Span
  /** What the same says as a sentence. */
  readonly said: string
  readonly tone?: 'accent' | 'bad'
}

const [WIDTH, HEIGHT] = [560, 64]

/** Values in the course of time, with the deploys; the highest line is the first. */
export function Graph({ title, lines, span, said, tone = 'accent' }: GraphProps): VNode {
  const max = Math.max(1e-9, ...lines.flatMap((line) => line.map(({ value = 0 }) => value)))
  const x = (atMs: number) => ((atMs - span.fromMs) / Math.max(1, span.toMs - span.fromMs)) * WIDTH
  const y = (value: number) => HEIGHT - 2 - (value / max) * (HEIGHT - 8)
  return (
    <figure class={tone === 'bad' ? 'spark failing' : 'spark'}>
      <figcaption>
        {title} <span class="quiet">{said}</span>
      </figcaption>
      <svg class="graph" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {span.marks.map(({ at }, index) => (
          <line
            key={`${index} ${at}`}
            class="mark"
            x1={x(Date.parse(at))}
            x2={x(Date.parse(at))}
            y1={0}
            y2={HEIGHT}
          />
        ))}
        {lines.flatMap((line, index) =>
          piecesOf(line, span.stepMs).map((piece) => (
            <polyline
              key={`${index} ${piece[0]?.atMs}`}
              class={index > 0 ? 'second' : ''}
              points={drawn(piece, x, y)}
            />
          )),
        )}
      </svg>
    </figure>
  )
}

function drawn(
  piece: readonly GraphPoint[],
  x: (atMs: number) => number,
  y: (value: number) => number,
): string {
  const points = piece.map(({ atMs, value = 0 }) => `${x(atMs).toFixed(1)},${y(value).toFixed(1)}`)
  // A point alone would not be seen.
  const [only] = piece
  if (points.length === 1 && only)
    points.push(`${(x(only.atMs) + 3).toFixed(1)},${y(only.value ?? 0).toFixed(1)}`)
  return points.join(' ')
}

/** Where nothing was told there is no line. */
function piecesOf(line: readonly GraphPoint[], stepMs: number): readonly (readonly GraphPoint[])[] {
  const pieces: GraphPoint[][] = []
  let before: GraphPoint | undefined
  for (const point of line) {
    if (point.value === undefined) continue
    if (before === undefined || point.atMs - before.atMs > 1.5 * stepMs) pieces.push([])
    pieces.at(-1)?.push(point)
    before = point
  }
  return pieces
}

/** From when to when the graphs above are, and what the marks are. */
export function Axis({ span }: { readonly span: Span }): VNode {
  const at = (ms: number) => moment(ms, zone(), serverNowMs())
  return (
    <div class="axis quiet">
      <span>{at(span.fromMs)}</span>
      {span.marks.map(({ at: first, release, text, actor }, index) => (
        <span key={`${index} ${first}`} class="deploy" title={actor && `said by ${actor}`}>
          {release === undefined ? `${text},` : `release ${release} from`} {at(Date.parse(first))}
        </span>
      ))}
      <span>{at(span.toMs)}</span>
    </div>
  )
}
