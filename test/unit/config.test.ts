import { describe, expect, it } from 'vitest'
import { isGateIndependent, readConfig } from '../../src/config.ts'

describe('readConfig', () => {
  it('needs nothing', () => {
    const config = readConfig({})
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      dataDir: '.gone',
      boardReadOnly: true,
      gateUrls: [],
    })
    expect(config.redisUrl).toBeUndefined()
    expect(config.retentionMs).toBe(30 * 86_400_000)
    expect(Object.isFrozen(config)).toBe(true)
  })

  it.each([
    [{ GONE_PORT: '80a' }, 'GONE_PORT: expected an integer from 0 to 65535, got "80a"'],
    [{ GONE_PORT: '65536' }, 'GONE_PORT: expected an integer from 0 to 65535, got "65536"'],
    [{ GONE_DEADLINE: '5' }, 'GONE_DEADLINE: expected a duration like 30s or 10m, from 1 s to 7 d, got "5"'],
    [{ GONE_BOARD: 'yes' }, 'GONE_BOARD: expected one of read-only, read-write, got "yes"'],
    [{ GONE_PROT: '1' }, 'GONE_PROT: no such setting'],
    [{ REDIS_URL: 'http://x' }, 'REDIS_URL: expected redis://host:6379/0, rediss:// for TLS'],
    [{ REDIS_URL: 'redis://' }, 'REDIS_URL: expected a host after ://'],
    [{ REDIS_URL: 'postgres://me:secret@host' }, 'got "postgres://me:***@host"'],
    [{ REDIS_URL: 'redis://me:se/cret@host' }, 'percent-encoded (%40 for @, %2F for /'],
    [{ REDIS_URL: 'redis://me:se/cret@host' }, 'got "redis://me:***@host"'],
    [
      { REDIS_URL: 'redis://host?password=secret' },
      'expected no query after the address, got "redis://host?password=***"',
    ],
    [{ REDIS_URL: 'redis+cluster://host:99999' }, 'got "redis+cluster://host:99999"'],
    [{ GATE_REDIS_URLS: 'redis://a,redis://:se/cret@b,redis://c' }, 'percent-encoded (%40 for @'],
    [
      { GATE_REDIS_URLS: 'redis://a,redis://:se/cret@b,redis://c' },
      'got "redis://a,redis://:***@b,redis://c"',
    ],
    [{ GATE_REDIS_URLS: 'redis://a,redis://b' }, 'GATE_REDIS_URLS: expected an odd number of nodes, got 2'],
    [{ GATE_REDIS_URLS: 'redis://a,redis://b,redis://A:6379' }, 'GATE_REDIS_URLS: expected different nodes'],
    [{ GONE_ALERT_URL: 'ftp://x/secret' }, 'GONE_ALERT_URL: expected an absolute URL with http or https'],
    [{ GONE_ALERT_URL: 'http://me:secret@x/' }, 'without a user name or password'],
    [{ GONE_ALERT_SECRET: 'x' }, 'GONE_ALERT_SECRET: expected GONE_ALERT_URL with it'],
    [{ GONE_RETENTION: '8d' }, 'GONE_RETENTION: expected at least 14 d'],
  ])('refuses %j in one line', (env, message) => {
    expect(() => readConfig(env)).toThrow(message)
    expect(() => readConfig(env)).toThrow(/^[^\n]+$/)
  })

  it.each([
    'redis://host',
    'rediss://:p%40ss@[::1]:6380/2',
    '/run/redis.sock',
    'redis+sentinel://one:26379,two/main/3',
    'rediss+sentinel://me:p%2Fss@one,two:26379',
    'rediss+cluster://me:p:q@one:7000,[fe80::1]:7001',
  ])('takes %s', (REDIS_URL) => {
    expect(readConfig({ REDIS_URL }).redisUrl).toBe(REDIS_URL)
  })

  const to = (url: string, more: Record<string, string> = {}) =>
    readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: url, ...more })

  it('tells of traces where OpenTelemetry is told where, and no variable of it says no', () => {
    expect(readConfig({ OTEL_TRACES_SAMPLER: 'of another SDK' }).traces).toBeUndefined()
    expect(to('http://otel:4318/').traces).toEqual({
      url: 'http://otel:4318/v1/traces',
      headers: {},
      sampler: 'parentbased_always_on',
      share: 1,
      everyMs: 5_000,
      resource: {},
    })
    expect(
      to('http://otel:4318', {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other/mine',
        OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%2Cb, x = y',
        OTEL_SERVICE_NAME: 'jobs',
        OTEL_RESOURCE_ATTRIBUTES: 'team=ops,service.name=other',
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
      }).traces,
    ).toEqual({
      url: 'https://other/mine',
      headers: { 'api-key': 'a,b', x: 'y' },
      sampler: 'traceidratio',
      share: 0.25,
      everyMs: 5_000,
      resource: { team: 'ops', 'service.name': 'jobs' },
    })
    expect(to('http://otel', { OTEL_SDK_DISABLED: 'TRUE', OTEL_TRACES_SAMPLER: 'x' }).traces).toBeUndefined()
    expect(to('http://otel', { OTEL_TRACES_EXPORTER: 'none' }).traces).toBeUndefined()
  })

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'otel:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT: expected an absolute URL'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL: expected one of http/json'],
    [{ OTEL_TRACES_SAMPLER_ARG: '1.5' }, 'OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'hidden' }, /^OTEL_EXPORTER_OTLP_HEADERS: expected ((?!hidden).)*$/],
  ])('refuses %j where traces are asked for', (env, message) => {
    expect(() => to('http://otel', env)).toThrow(message)
  })

  it('does not show a webhook that it refuses', () => {
    expect(() => readConfig({ GONE_ALERT_URL: 'ftp://x/hidden' })).toThrow(/^((?!hidden).)*$/)
  })

  it('keeps rounds for ever if asked', () => {
    expect(readConfig({ GONE_RETENTION: '0' }).retentionMs).toBe(0)
  })

  it('knows a gate that outlives the Redis of the record', () => {
    const gate = (redisUrl: string | undefined, ...gateUrls: string[]) =>
      isGateIndependent({ gateUrls, ...(redisUrl && { redisUrl }) })
    expect(gate('redis://a', 'redis://b', 'redis://c', 'redis://d')).toBe(true)
    expect(gate('redis://a', 'redis://a:6379/3', 'redis://c', 'redis://d')).toBe(true)
    expect(gate(undefined, 'redis://b')).toBe(true)
    expect(gate('redis://localhost', 'redis://127.0.0.1:6379')).toBe(false)
    expect(gate('redis://a')).toBe(false)
  })
})
