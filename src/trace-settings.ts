import { ofText, oneOf, type Rule, whole } from './core/expect.ts'
import { anyText, text } from './setting-rules.ts'
import type { Setting } from './settings.ts'

/** OpenTelemetry's own variables, as far as they are read here: those that say where traces go, and which. */
export const TRACE_SETTINGS = {
  endpoint: {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    fallback: '',
    about: 'where traces go, such as http://collector:4318, below which /v1/traces is asked; empty: nowhere',
    isOptional: true,
    rule: webUrl(),
  },
  tracesEndpoint: {
    name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    fallback: '',
    about: 'the same with its path, in place of that',
    isOptional: true,
    rule: webUrl(),
  },
  headers: {
    name: 'OTEL_EXPORTER_OTLP_HEADERS',
    fallback: '',
    about: 'what is sent along, such as key=secret; also from a file',
    rule: pairs(),
    shown: () => undefined,
  },
  protocol: {
    name: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    fallback: 'http/json',
    about: 'http/json; http/protobuf is taken and means the same, because receivers take both at one address',
    rule: oneOf(['http/json', 'http/protobuf']),
  },
  isDisabled: {
    name: 'OTEL_SDK_DISABLED',
    fallback: 'false',
    about: 'true: no traces, whatever else is set',
    rule: trueOrFalse(),
  },
  exporter: {
    name: 'OTEL_TRACES_EXPORTER',
    fallback: 'otlp',
    about: 'otlp, or none: no traces',
    rule: oneOf(['otlp', 'none']),
  },
  sampler: {
    name: 'OTEL_TRACES_SAMPLER',
    fallback: 'parentbased_always_on',
    about:
      'which traces: always_on, always_off, traceidratio, or one of these for what no caller has decided, with parentbased_ before it',
    rule: oneOf([
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ]),
  },
  share: {
    name: 'OTEL_TRACES_SAMPLER_ARG',
    fallback: '1',
    about: 'of traceidratio: which share of all traces, 0 to 1',
    rule: share(),
  },
  everyMs: {
    name: 'OTEL_BSP_SCHEDULE_DELAY',
    fallback: '5000',
    about: 'how many ms spans wait at most before they are told',
    rule: whole(1, 600_000),
  },
  serviceName: {
    name: 'OTEL_SERVICE_NAME',
    fallback: '',
    about: 'what servers or workers call themselves; empty: as the next one says, else gone',
    isOptional: true,
    rule: anyText(),
  },
  resource: {
    name: 'OTEL_RESOURCE_ATTRIBUTES',
    fallback: '',
    about: 'what else is said of the process, such as deployment.environment.name=production',
    rule: pairs(),
  },
} as const satisfies Record<string, Setting<unknown>>

function webUrl(): Rule<string> {
  return text('an absolute URL with http or https and without a user name or password', (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined
    return /^https?:$/.test(url?.protocol ?? '') && !url?.username && !url?.password
  })
}

/** `name=value` with commas between, each in percent-encoding, as the specification has it. */
function pairs(): Rule<Readonly<Record<string, string>>> {
  return ofText({
    expected: (quoted) => `names and values like ${quoted('team=ops,cost=a%20lot')}`,
    fromText(given) {
      const read = given.split(',').flatMap((part) => (part.trim() ? [pairIn(part.trim())] : []))
      return read.every((pair) => pair !== undefined) ? Object.fromEntries(read) : undefined
    },
  })
}

function pairIn(part: string): readonly [string, string] | undefined {
  const [, name, value = ''] = /^([^\s=]+)\s*=\s*(.*)$/.exec(part) ?? []
  if (name === undefined) return undefined
  try {
    return [decodeURIComponent(name), decodeURIComponent(value)]
  } catch {
    return undefined
  }
}

/** In whatever case, as the specification has it. */
function trueOrFalse(): Rule<boolean> {
  return ofText({
    expected: (quoted) => `one of ${quoted('true')}, ${quoted('false')}`,
    fromText: (given) => (/^(?:true|false)$/i.test(given) ? /^t/i.test(given) : undefined),
  })
}

function share(): Rule<number> {
  return ofText({
    expected: () => 'a number from 0 to 1',
    fromText: (given) => (/^(?:1(?:\.0{1,16})?|0?\.\d{1,16}|0)$/.test(given) ? Number(given) : undefined),
  })
}
