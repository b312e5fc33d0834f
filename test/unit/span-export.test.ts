import { describe, expect, it } from 'vitest'
import { isTold, placeIn, traceparentOf } from '../../src/otlp/sampling.ts'
import { SpanExport } from '../../src/otlp/span-export.ts'
import { receiveTraces } from '../support/trace-receiver.ts'

describe('a trace', () => {
  const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']

  it.each(['00', '01'])('is read and written with the flags %s', (flags) => {
    const text = `00-${traceId}-${spanId}-${flags}`
    expect(placeIn(text)).toEqual({ traceId, spanId, isSampled: flags === '01' })
    expect(traceparentOf(placeIn(text))).toBe(text)
  })

  it.each([
    ['always_on', false, true],
    ['always_off', true, false],
    ['parentbased_always_on', false, false],
    ['parentbased_always_off', true, true],
    ['parentbased_always_on', undefined, true],
    ['parentbased_always_off', undefined, false],
    ['parentbased_traceidratio', true, true],
  ])('by %s of a caller that says %s is told: %s', (sampler, isSampled, told) => {
    const parent = isSampled === undefined ? undefined : { isSampled }
    expect(isTold({ sampler, share: 0 }, traceId, parent)).toBe(told)
  })

  it('is told by its share, the same of it everywhere', () => {
    const idOf = (n: number) =>
      `${'0'.repeat(18)}${Math.floor((n / 1_000) * 2 ** 56)
        .toString(16)
        .padStart(14, '0')}`
    const told = (share: number) =>
      Array.from({ length: 1_000 }, (_, n) => isTold({ sampler: 'traceidratio', share }, idOf(n), undefined))
    const countOf = (share: number) => told(share).filter(Boolean).length
    expect([countOf(0), countOf(0.25), countOf(1)]).toEqual([0, 250, 1_000])
  })
})

describe('what is told', () => {
  it('is bounded while nobody takes it, and what is left out is said', async () => {
    const receiver = await receiveTraces()
    receiver.status = 503
    const { log, noted } = fullLog()
    const told = new SpanExport<number>({
      url: `${receiver.url}/v1/traces`,
      headers: {},
      everyMs: 200,
      bodyOf: bodyOfNumbers,
      log,
    })
    for (let n = 0; n < 5_000; n += 1) told.add(n)
    await expect
      .poll(() => noted)
      .toContainEqual([expect.anything(), 'traces are not taken; they are told again'])
    receiver.status = 200
    await expect.poll(() => receiver.spans.length, { timeout: 30_000 }).toBe(2_048)
    expect(receiver.spans.map(({ name }) => Number(name))).toEqual(Array.from({ length: 2_048 }, (_, n) => n))
    expect(noted).toContainEqual([{ leftOut: 5_000 - 2_048 }, 'traces are taken again'])
    await told.stop()
  })

  it('is left out where it is refused for good', async () => {
    const receiver = await receiveTraces()
    receiver.status = 400
    const { log, noted } = fullLog()
    const told = new SpanExport<number>({
      url: `${receiver.url}/v1/traces`,
      headers: {},
      everyMs: 200,
      bodyOf: bodyOfNumbers,
      log,
    })
    told.add(1)
    await told.stop()
    expect(receiver.headers).toHaveLength(1)
    expect(noted).toContainEqual([{ cause: 'HTTP 400', leftOut: 1 }, 'traces were refused'])
  })
})

function fullLog() {
  const noted: [object, string][] = []
  const note = (fields: object, message: string) => void noted.push([fields, message])
  return { noted, log: { debug: note, info: note, warn: note, error: note } }
}

function bodyOfNumbers(numbers: readonly number[]): string {
  const spans = numbers.map((n) => ({
    name: String(n),
    startTimeUnixNano: '0',
    endTimeUnixNano: '0',
    attributes: [],
    status: {},
  }))
  return JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans }] }] })
}
