import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'

/** What Kubernetes tells each pod of a Service, in its own words (pkg/kubelet/envvars). */
function linksOf(
  service: string,
  ports: Readonly<Record<string, number>>,
  protocol = 'TCP',
): Record<string, string> {
  const name = service.toUpperCase().replaceAll('-', '_')
  const [first = 0] = Object.values(ports)
  const url = (port: number) => `${protocol.toLowerCase()}://10.96.0.7:${port}`
  const links: Record<string, string> = {
    [`${name}_SERVICE_HOST`]: '10.96.0.7',
    [`${name}_SERVICE_PORT`]: String(first),
    [`${name}_PORT`]: url(first),
  }
  for (const [portName, port] of Object.entries(ports)) {
    if (portName) links[`${name}_SERVICE_PORT_${portName.toUpperCase().replaceAll('-', '_')}`] = String(port)
    const prefix = `${name}_PORT_${port}_${protocol}`
    Object.assign(links, { [prefix]: url(port), [`${prefix}_PROTO`]: protocol.toLowerCase() })
    Object.assign(links, { [`${prefix}_PORT`]: String(port), [`${prefix}_ADDR`]: '10.96.0.7' })
  }
  return links
}

describe('the environment of a pod', () => {
  it.each([
    ['gone', { '': 8_080 }],
    ['gone', { http: 8_080, 'metrics-2': 9_090 }],
    ['gone-redis', { redis: 6_379 }],
    ['gone-url', { '': 80 }],
    ['gone-key', { '': 80 }],
    ['gone-service', { '': 80 }],
    ['gone-port', { '': 80 }],
  ])('may name a Service %s of ports %j', (service, ports) => {
    expect(readConfig(linksOf(service, ports))).toEqual(readConfig({}))
    expect(readConfig(linksOf(service, ports, 'UDP'))).toEqual(readConfig({}))
  })

  it('may set a port beside a Service of that name', () => {
    const links = { ...linksOf('gone', { '': 80 }), GONE_PORT: '9000' }
    expect(readConfig(links).port).toBe(9_000)
    expect(() => readConfig({ ...links, GONE_PORT: '90x' })).toThrow('GONE_PORT: expected an integer')
  })

  it.each([
    [{ GONE_SERVICE_HOST: '10.96.0.7' }, 'GONE_SERVICE_HOST: no such setting'],
    [{ GONE_SERVICE_PORT: '80' }, 'GONE_SERVICE_PORT: no such setting'],
    [{ GONE_PORT: 'tcp://10.96.0.7:80' }, 'GONE_PORT: expected an integer'],
    [{ GONE_PORT_80_TCP: 'tcp://10.96.0.7:80' }, 'GONE_PORT_80_TCP: no such setting'],
    [{ ...linksOf('gone', { '': 80 }), GONE_PROT: '80' }, 'GONE_PROT: no such setting'],
    [{ ...linksOf('gone', { '': 80 }), GONE_SERVICE_HOSTS: 'a' }, 'GONE_SERVICE_HOSTS: no such setting'],
    [{ ...linksOf('gone', { '': 80 }), GONE_PORTS: '80' }, 'GONE_PORTS: no such setting'],
    [{ ...linksOf('gone', { '': 80 }), GONE_PORT_80_SSL: '80' }, 'GONE_PORT_80_SSL: no such setting'],
    [
      { ...linksOf('gone-redis', { '': 80 }), GONE_PORT: 'tcp://10.96.0.7:80' },
      'GONE_PORT: expected an integer',
    ],
  ])('is refused where something is misspelt: %j', (env, message) => {
    expect(() => readConfig(env)).toThrow(message)
  })

  it('may hold what a command of ours tells its children', () => {
    const told = { GONE_SYSTEM: 'a', GONE_ROUND: 'b', GONE_FENCE: '7', GONE_ATTEMPT: '1', GONE_ARGS: '[]' }
    expect(readConfig(told)).toEqual(readConfig({}))
    expect(() => readConfig({ GONE_ROUNDS: 'b' })).toThrow('GONE_ROUNDS: no such setting')
  })
})
