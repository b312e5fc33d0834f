import { isBasePath } from './base-path.ts'
import { ALERT_FORMS, isTemplate, TEMPLATE_FIELDS } from './core/alerts/alert-forms.ts'
import { oneOf, type Rule, span, whole } from './core/expect.ts'
import { MAX_DEADLINE_MS } from './core/rounds/record.ts'
import { isNetwork } from './networks.ts'
import { hidePassword } from './redis/redis-url.ts'
import { anyText, flag, label, list, partsOf, redisUrl, text } from './setting-rules.ts'

/** One environment variable of the server: the README's table, the check and the type of `Config` come from it. */
export interface Setting<T> {
  readonly name: string
  /** As one would write it; empty: none. */
  readonly fallback: string
  readonly about: string
  /** Empty means that there is none. */
  readonly isOptional?: true
  readonly rule: Rule<T>
  /** Of what is secret: as much as an error may show. Whatever has this may also come from a file. */
  readonly shown?: (text: string) => string | undefined
}

const DAY_MS = 86_400_000
const MAX_RETENTION_MS = 3_650 * DAY_MS

/** Every setting once, in the order of the README, by its name in `Config`. */
export const SETTINGS = {
  redisUrl: {
    name: 'REDIS_URL',
    fallback: '',
    about: 'Redis to use; empty: start an embedded one',
    isOptional: true,
    rule: redisUrl(),
    shown: hidePassword,
  },
  gateUrls: {
    name: 'GATE_REDIS_URLS',
    fallback: '',
    about: 'an odd number of gate nodes, comma-separated; empty: none',
    rule: list(redisUrl()),
    shown: (urls) => partsOf(urls).map(hidePassword).join(','),
  },
  host: {
    name: 'GONE_HOST',
    fallback: '127.0.0.1',
    about: 'address to listen on',
    rule: anyText(),
  },
  port: {
    name: 'GONE_PORT',
    fallback: '8080',
    about: 'port to listen on; 0: any free one',
    rule: whole(0, 65_535),
  },
  basePath: {
    name: 'GONE_BASE_PATH',
    fallback: '',
    about: 'the path that it is reached below, such as /gone, whether a proxy strips it or not; empty: none',
    rule: text(
      'a path such as /gone, without a slash at its end, that begins with none of our own such as /api',
      (path) => path === '' || isBasePath(path),
    ),
  },
  dataDir: {
    name: 'GONE_DATA_DIR',
    fallback: '.gone',
    about: 'where an embedded Redis keeps its data',
    rule: anyText(),
  },
  retentionMs: {
    name: 'GONE_RETENTION',
    fallback: '30d',
    about: 'how long a round is remembered; 0: for ever',
    rule: span(0, MAX_RETENTION_MS),
  },
  jobRetentionMs: {
    name: 'GONE_JOB_RETENTION',
    fallback: '7d',
    about: 'how long the board keeps finished rounds',
    rule: span(1_000, MAX_RETENTION_MS),
  },
  jobRetentionCount: {
    name: 'GONE_JOB_RETENTION_COUNT',
    fallback: '100000',
    about: 'how many finished rounds the board keeps',
    rule: whole(1, 100_000_000),
  },
  jobLogLines: {
    name: 'GONE_JOB_LOG_LINES',
    fallback: '1000',
    about: "how many lines a job's log may have, which workers write",
    rule: whole(1, 100_000),
  },
  deadlineMs: {
    name: 'GONE_DEADLINE',
    fallback: '60m',
    about: 'when an unreported round turns red, unless the caller says',
    rule: span(1_000, MAX_DEADLINE_MS),
  },
  submissionDeadlineMs: {
    name: 'GONE_SUBMISSION_DEADLINE',
    fallback: '7d',
    about: 'when a submitted round turns red that no worker has taken, unless the caller says; 0: never',
    rule: span(0, MAX_DEADLINE_MS),
  },
  shutdownMs: {
    name: 'GONE_SHUTDOWN',
    fallback: '10s',
    about: 'how long a stopping server may take to drain',
    rule: span(100, 600_000),
  },
  maxSubmissionBytes: {
    name: 'GONE_MAX_SUBMISSION',
    fallback: '65536',
    about: 'the largest submission, in bytes',
    rule: whole(1_024, 16_777_216),
  },
  logLevel: {
    name: 'GONE_LOG_LEVEL',
    fallback: 'info',
    about: 'one of debug, info, warn, error, silent',
    rule: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
  },
  logFormat: {
    name: 'GONE_LOG_FORMAT',
    fallback: 'auto',
    about: 'text for people, json, or auto: text on a terminal',
    rule: oneOf(['auto', 'text', 'json']),
  },
  boardReadOnly: {
    name: 'GONE_BOARD',
    fallback: 'read-only',
    about: 'read-only, or read-write to retry and remove jobs there',
    rule: flag({ 'read-only': true, 'read-write': false }),
  },
  allowEviction: {
    name: 'GONE_ALLOW_EVICTION',
    fallback: 'false',
    about: 'start on a Redis that may evict (and so forget) rounds',
    rule: flag({ true: true, false: false }),
  },
  alertUrls: {
    name: 'GONE_ALERT_URL',
    fallback: '',
    about: 'where alerts are posted to, comma-separated; empty: nowhere',
    rule: list(text('an absolute URL with http or https and without a user name or password', isHookUrl)),
    // Paths and queries of webhooks carry secrets.
    shown: () => undefined,
  },
  alertForms: {
    name: 'GONE_ALERT_FORMAT',
    fallback: 'gone',
    about: `in what form: one of ${ALERT_FORMS.join(', ')}, for all or one for each URL`,
    rule: list(oneOf(ALERT_FORMS)),
  },
  alertTemplate: {
    name: 'GONE_ALERT_TEMPLATE',
    fallback: '',
    about: 'of the form template: JSON whose texts name fields, such as {"title":"{system} {kind}"}',
    isOptional: true,
    rule: text(`JSON whose texts name fields in braces, of ${TEMPLATE_FIELDS.join(', ')}`, isTemplate),
  },
  alertSecret: {
    name: 'GONE_ALERT_SECRET',
    fallback: '',
    about: 'what signs them; empty: nothing does',
    isOptional: true,
    rule: anyText(),
    shown: () => undefined,
  },
  keys: {
    name: 'GONE_KEYS',
    fallback: 'auto',
    about: 'required, optional until there is one, or auto: required beyond loopback',
    rule: oneOf(['auto', 'required', 'optional']),
  },
  allowedHosts: {
    name: 'GONE_ALLOWED_HOSTS',
    fallback: '',
    about: 'names that it is reached by besides localhost and its address, such as gone or *.example.com',
    rule: list(text('names such as gone or *.example.com, without ports', isHostPattern)),
  },
  trustedProxies: {
    name: 'GONE_TRUSTED_PROXIES',
    fallback: '',
    about: 'networks whose X-Forwarded headers are believed, such as 10.0.0.0/8',
    rule: list(text('addresses or networks such as 10.0.0.0/8', isNetwork)),
  },
  rateLimit: {
    name: 'GONE_RATE_LIMIT',
    fallback: '0',
    about: 'requests a second from each address and with each key, ten times as many at once; 0: any number',
    rule: whole(0, 1_000_000),
  },
  auditLog: {
    name: 'GONE_AUDIT_LOG',
    fallback: '',
    about: 'a file that gets a line for each change, also by gone key, with who made it; empty: none',
    isOptional: true,
    rule: anyText(),
  },
  maxConnections: {
    name: 'GONE_MAX_CONNECTIONS',
    fallback: '10000',
    about: 'how many connections there may be',
    rule: whole(1, 1_000_000),
  },
  maxConnectionsPerAddress: {
    name: 'GONE_MAX_CONNECTIONS_PER_ADDRESS',
    fallback: '2000',
    about: 'of these from one address that is no trusted proxy',
    rule: whole(1, 1_000_000),
  },
  release: {
    name: 'GONE_RELEASE',
    fallback: 'none',
    about: 'of workers: the release of yours that they run, as the fleet shows it',
    rule: label(),
  },
  region: {
    name: 'GONE_REGION',
    fallback: 'none',
    about: 'of workers: where they run, as the fleet shows it; they also take jobs that are for it',
    rule: label(),
  },
  hostLabel: {
    name: 'GONE_HOST_LABEL',
    fallback: '',
    about: "of workers: the host that they run on, as the fleet shows it; empty: the machine's name",
    isOptional: true,
    rule: label(),
  },
} as const satisfies Record<string, Setting<unknown>>

/** Names with our prefix that other parts read: the CLI its server's address, the workers their settings. */
export const OTHER_NAMES = [
  'GONE_URL',
  'GONE_KEY',
  'GONE_WEBHOOK_SECRET',
  'GONE_WEBHOOK_SECRETS',
  'GONE_WEBHOOK_ALLOW',
  'GONE_WEBHOOK_ALLOW_PRIVATE',
  'GONE_SHELL_CATALOGUE',
] as const

/** What `gone once`, a supervisor and the worker `shell` tell what they run, which may be our own commands. */
export const CHILD_NAMES = [
  'GONE_SYSTEM',
  'GONE_ROUND',
  'GONE_FENCE',
  'GONE_ATTEMPT',
  'GONE_ARGS',
  'GONE_INSTANCE',
  'GONE_RUN',
] as const

/** Settings that are secret, or carry a password. Each may also come from a file, named by the setting and `_FILE`. */
export const SECRETS: readonly string[] = [
  ...Object.values(SETTINGS).flatMap((setting) => ('shown' in setting ? [setting.name] : [])),
  'GONE_KEY',
  'GONE_WEBHOOK_SECRET',
  'GONE_WEBHOOK_SECRETS',
  'OTEL_EXPORTER_OTLP_HEADERS',
]

function isHostPattern(value: string): boolean {
  return /^(?:\*\.)?[^\s*:/@?#[\]\\]{1,253}$/.test(value) && !value.endsWith('.')
}

function isHookUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  return isWeb && !url.username && !url.password
}
