import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A span as a receiver of OTLP has it. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly error?: string
  readonly service: unknown
}

interface AttributeJson {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface TraceReceiver {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  readonly headers: readonly IncomingHttpHeaders[]
  readonly resources: readonly Readonly<Record<string, unknown>>[]
  /** What it answers; 200 as long as nothing else is said. */
  status: number
  readonly stop: () => Promise<void>
}

/** A receiver of traces: OTLP over HTTP in JSON, below `/v1/traces`. */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = []
  const headers: IncomingHttpHeaders[] = []
  const resources: Record<string, unknown>[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    headers.push(request.headers)
    if (request.method !== 'POST' || request.url !== '/v1/traces') return void response.writeHead(404).end()
    if (receiver.status === 200)
      for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
        const said = attributesOf(resource.attributes)
        resources.push(said)
        for (const { spans: told } of scopeSpans)
          spans.push(...told.map((span: SpanJson) => spanOf(span, said['service.name'])))
      }
    response.writeHead(receiver.status, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const receiver: TraceReceiver = { url, spans, headers, resources, status: 200, stop }
  return receiver
}

/** The same, stopped with the test that started it. */
export async function receiveTraces(): Promise<TraceReceiver> {
  const receiver = await startTraceReceiver()
  onTestFinished(() => receiver.stop())
  return receiver
}

interface SpanJson {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly AttributeJson[]
  readonly status: { readonly code?: number; readonly message?: string }
}

function spanOf(
  { startTimeUnixNano, endTimeUnixNano, attributes, status, ...span }: SpanJson,
  service: unknown,
): ReceivedSpan {
  return {
    ...span,
    startMs: Number(startTimeUnixNano) / 1e6,
    endMs: Number(endTimeUnixNano) / 1e6,
    attributes: attributesOf(attributes),
    ...(status.code === 2 && { error: status.message ?? '' }),
    service,
  }
}

function attributesOf(list: readonly AttributeJson[]): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, valueIn(value)]))
}

function valueIn(value: Readonly<Record<string, unknown>>): unknown {
  return 'intValue' in value ? Number(value.intValue) : Object.values(value)[0]
}
