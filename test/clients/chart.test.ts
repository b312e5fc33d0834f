import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { VERSION } from '../../src/version.ts'
import { type Kind, mistakesIn } from '../support/kubernetes.ts'
import { ROOT } from '../support/snippets.ts'

interface Manifest extends Kind {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly replicas?: number
    readonly ports?: readonly object[]
    readonly template?: {
      readonly spec: {
        readonly containers: {
          image: string
          imagePullPolicy?: string
          readonly ports?: readonly object[]
          readonly env: { readonly name: string; readonly value?: string }[]
        }[]
      }
    }
  }
}

const CHART = join(ROOT, 'examples/helm/gone')

/** @throws Error with what Helm says where it refuses */
function helm(args: readonly string[], values: object = {}): string {
  const input = JSON.stringify(values)
  const given = [...args, '--values', '-']
  return execFileSync('helm', given, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}

/** What somebody installs who says these values. */
function rendered(values?: object): Manifest[] {
  return parseAllDocuments(helm(['template', 'gone', CHART], values)).flatMap((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() === null ? [] : [document.toJS() as Manifest]
  })
}

const byKind = (manifests: readonly Manifest[]) =>
  manifests.toSorted((a, b) => a.kind.localeCompare(b.kind) || a.metadata.name.localeCompare(b.metadata.name))

const containersOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ spec }) => spec.template?.spec.containers ?? [])

describe('the chart for Helm', () => {
  it('passes its linter', () => {
    expect(helm(['lint', '--strict', CHART])).toContain('1 chart(s) linted, 0 chart(s) failed')
  })

  it('makes the manifests of the example for Kubernetes, with an image of this version', () => {
    const plain = parseAllDocuments(readFileSync(join(ROOT, 'examples/kubernetes/gone.yaml'), 'utf8'))
    const made = rendered()
    for (const container of containersOf(made)) {
      expect(container.image).toBe(`gone:${VERSION}`)
      container.image = 'gone'
      delete container.imagePullPolicy
    }
    expect(byKind(made)).toEqual(byKind(plain.map((document) => document.toJS() as Manifest)))
    const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { readonly appVersion: string }
    expect(chart.appVersion).toBe(VERSION)
  })

  it('takes settings, another image, another port, and no workers', async () => {
    const made = rendered({
      image: { repository: 'registry.example.com/gone', tag: '1.2.3' },
      servers: { replicas: 5, port: 80, env: { GONE_RETENTION: '60d', GONE_RATE_LIMIT: 100 } },
      workers: { replicas: 0 },
    })
    expect(byKind(made).map(({ kind, spec }) => [kind, spec.replicas])).toEqual([
      ['Deployment', 5],
      ['PodDisruptionBudget', undefined],
      ['Service', undefined],
    ])
    expect(await mistakesIn(made)).toBe('')
    const service = made.find(({ kind }) => kind === 'Service')
    expect(service?.spec.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }])
    const [container] = containersOf(made)
    expect(container?.image).toBe('registry.example.com/gone:1.2.3')
    const set =
      container?.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])) ?? []
    const config = readConfig(Object.fromEntries(set))
    expect(config).toMatchObject({ retentionMs: 60 * 86_400_000, rateLimit: 100 })
    // Where the servers listen is where they are asked, whatever port the Service has.
    expect(container?.ports).toEqual([{ name: 'http', containerPort: config.port }])
  })

  it.each([
    ['an unknown group', { server: {} }, 'server'],
    ['a number as a text', { servers: { replicas: '3' } }, 'replicas'],
    ['a misspelt value', { servers: { replica: 3 } }, 'replica'],
    ['a setting that is none', { servers: { env: { RETENTION: '60d' } } }, 'RETENTION'],
    ['a port apart from that of the probes', { servers: { env: { GONE_PORT: 9090 } } }, '/servers/env'],
  ])('refuses %s, and says where', (_, values, named) => {
    expect(() => helm(['template', 'gone', CHART], values)).toThrow(named)
  })
})
