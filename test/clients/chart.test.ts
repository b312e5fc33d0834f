import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { VERSION } from '../../src/version.ts'
import { type Kind, mistakesIn } from '../support/kubernetes.ts'
import { ROOT } from '../support/snippets.ts'

/** By Go's own templates, which Helm's are. */

interface Manifest extends Kind {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly replicas?: number
    readonly template?: {
      readonly spec: {
        readonly containers: {
          image: string
          imagePullPolicy?: string
          readonly env: { readonly name: string; readonly value?: string }[]
        }[]
      }
    }
  }
}

const CHART = join(ROOT, 'examples/helm/gone')
const read = (file: string) => readFileSync(join(CHART, file), 'utf8')
const chart = parse(read('Chart.yaml')) as { readonly version: string; readonly appVersion: string }
const values = parse(read('values.yaml')) as Record<string, Record<string, unknown>>
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gone-chart-'))
  const env = { ...process.env, CGO_ENABLED: '0', GOCACHE: join(folder, 'cache'), GOFLAGS: '-mod=mod' }
  execFileSync('go', ['build', '-o', join(folder, 'render'), join(ROOT, 'test/clients/render.go')], { env })
}, 300_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What somebody installs who says these values. */
function rendered(given: Readonly<Record<string, object>> = {}): Manifest[] {
  const merged = Object.fromEntries(
    Object.entries(values).map(([name, group]) => [name, { ...group, ...given[name] }]),
  )
  const templates = readdirSync(join(CHART, 'templates')).map((file) => read(`templates/${file}`))
  const input = JSON.stringify({ templates, values: merged, appVersion: chart.appVersion })
  const text = execFileSync(join(folder, 'render'), { input, encoding: 'utf8' })
  return parseAllDocuments(text).flatMap((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() === null ? [] : [document.toJS() as Manifest]
  })
}

const containersOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ spec }) => spec.template?.spec.containers ?? [])

describe('the chart for Helm', () => {
  it('makes the manifests of the example for Kubernetes, with an image of this version', () => {
    const plain = parseAllDocuments(readFileSync(join(ROOT, 'examples/kubernetes/gone.yaml'), 'utf8'))
    const made = rendered()
    for (const container of containersOf(made)) {
      expect(container.image).toBe(`gone:${VERSION}`)
      container.image = 'gone'
      delete container.imagePullPolicy
    }
    expect(made).toEqual(plain.map((document) => document.toJS()))
    expect(chart.appVersion).toBe(VERSION)
  })

  it('takes settings, another image, and no workers', async () => {
    const made = rendered({
      image: { repository: 'registry.example.com/gone', tag: '1.2.3' },
      servers: { replicas: 5, env: { GONE_RETENTION: '60d', GONE_RATE_LIMIT: 100 } },
      workers: { replicas: 0 },
    })
    expect(made.map(({ kind, spec }) => [kind, spec.replicas])).toEqual([
      ['Service', undefined],
      ['Deployment', 5],
      ['PodDisruptionBudget', undefined],
    ])
    expect(await mistakesIn(made)).toBe('')
    const [container] = containersOf(made)
    expect(container?.image).toBe('registry.example.com/gone:1.2.3')
    const set =
      container?.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])) ?? []
    expect(readConfig(Object.fromEntries(set))).toMatchObject({
      retentionMs: 60 * 86_400_000,
      rateLimit: 100,
    })
  })

  it('says what its values may be, so that Helm refuses what is none', () => {
    const isTaken = new Ajv({ strict: true, allowUnionTypes: true }).compile(
      JSON.parse(read('values.schema.json')),
    )
    expect(isTaken(values), JSON.stringify(isTaken.errors)).toBe(true)
    for (const wrong of [
      { ...values, server: {} },
      { ...values, servers: { ...values.servers, replicas: '3' } },
      { ...values, servers: { ...values.servers, replica: 3 } },
      { ...values, servers: { ...values.servers, env: { RETENTION: '60d' } } },
    ])
      expect(isTaken(wrong)).toBe(false)
  })
})
