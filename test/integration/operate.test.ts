import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { EXIT } from '../../src/cli/terminal.ts'
import { readConfig } from '../../src/config.ts'
import { SETTINGS } from '../../src/settings.ts'
import { type Kind, mistakesIn } from '../support/kubernetes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const run = promisify(execFile)

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const example = (path: string) => readFileSync(join(EXAMPLES, path), 'utf8')

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[]
}

interface Container {
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string } } | undefined
}

interface Manifest extends Kind {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly template?: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly containers: readonly Container[]
      }
    }
  }
}

let server: TestServer

beforeAll(async () => {
  // Nothing is sent there: there is no alert.
  server = await startTestServer({ env: { GONE_ALERT_URL: 'http://127.0.0.1:9/' } })
})

afterAll(() => server.stop())

describe('the alerting rules', () => {
  it('are about metrics and labels that a server has', async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    const known = new Set([...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
    const { groups } = parse(example('prometheus/gone.rules.yml')) as Rules
    const rules = groups.flatMap((group) => group.rules)
    const asked = rules.flatMap(({ expr }) => [...expr.matchAll(/gone_[a-z_]+/g)].map(([name]) => name))
    expect(asked.length).toBeGreaterThanOrEqual(8)
    for (const name of asked) expect(known).toContain(name.replace(/_bucket$/, ''))
    for (const { expr } of rules) {
      for (const [, name = '', label = '', value = ''] of expr.matchAll(/(gone_\w+)\{(\w+)="(\w+)"\}/g))
        expect(metrics).toContain(`${name}{${label}="${value}"}`)
    }
  })

  it('are what promtool reads', async () => {
    const { stdout } = await run('promtool', ['check', 'rules', join(EXAMPLES, 'prometheus/gone.rules.yml')])
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/)
  })
})

interface Dashboard {
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly gridPos: { readonly x: number; readonly w: number }
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[]
  }[]
}

describe('the dashboard for Grafana', () => {
  const { panels } = JSON.parse(example('grafana/gone.json')) as Dashboard
  const targets = panels.flatMap((panel) => panel.targets)

  it('asks for metrics, labels and values that a server has', async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    const types = new Map(
      [...metrics.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(([, name, type]) => [name, type]),
    )
    const asked = targets.flatMap(({ expr }) => [...expr.matchAll(/\b((?:gone|process)_\w+)\{([^}]*)\}/g)])
    expect(asked.length).toBeGreaterThanOrEqual(15)
    for (const [, name = '', labels = ''] of asked) {
      const isHistogram = name.endsWith('_bucket')
      expect(types.has(name.replace(/_bucket$/, '')), name).toBe(true)
      if (isHistogram) expect(types.get(name.replace(/_bucket$/, '')), name).toBe('histogram')
      for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="([^"$]+)"/g))
        if (name !== 'gone_instances') expect(metrics).toContain(`${name}{${label}="${value}"}`)
    }
  })

  it('sums by labels that the metric has, and shows no panel twice', () => {
    for (const { expr, legendFormat } of targets)
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        if (/ by \(/.test(expr)) expect(expr).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`))
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { gridPos, title } of panels) expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
  })

  it('is written in what promtool reads', async () => {
    const rules = targets.map(({ expr }, at) => ({
      record: `panel:${at}`,
      expr: expr.replaceAll('$job', '.*'),
    }))
    const file = join(await mkdtemp(join(tmpdir(), 'gone-dashboard-')), 'rules.yml')
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { stdout } = await run('promtool', ['check', 'rules', file])
    expect(stdout).toContain(`SUCCESS: ${targets.length} rules found`)
    await rm(dirname(file), { recursive: true })
  })
})

describe('the manifests for Kubernetes', () => {
  const manifests = parseAllDocuments(example('kubernetes/gone.yaml')).map(
    (document) => document.toJS() as Manifest,
  )
  const pods = manifests.flatMap(({ spec }) => (spec.template ? [spec.template.spec] : []))

  it('are what the schemas and types of Kubernetes know, and nothing else', async () => {
    expect(await mistakesIn(manifests)).toBe('')
    const wrong = JSON.parse(
      JSON.stringify(manifests).replaceAll('readOnlyRoot', 'readonlyRoot').replaceAll('128Mi', 'much'),
    )
    expect(await mistakesIn(wrong)).toMatch(
      /memory must match format "quantity"[\s\S]*"readonlyRootFilesystem"' does not exist/,
    )
  })

  it('set what there is to set, to what is taken', () => {
    expect(pods).toHaveLength(2)
    for (const { containers } of pods)
      for (const { env } of containers) {
        const names = env.map(({ name }) => name)
        const known = Object.values(SETTINGS).map(({ name }) => name)
        expect(known).toEqual(expect.arrayContaining(names))
        const given = env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))
        expect(() => readConfig(Object.fromEntries(given))).not.toThrow()
      }
  })

  it('ask paths that answer, and wait for a drain', async () => {
    for (const { containers, terminationGracePeriodSeconds } of pods)
      for (const container of containers) {
        for (const probe of ['livenessProbe', 'readinessProbe'] as const) {
          const path = container[probe]?.httpGet.path
          if (path) expect((await fetch(`${server.url}${path}`)).status).toBe(200)
        }
        const given = container.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))
        const { shutdownMs } = readConfig(Object.fromEntries(given))
        expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(shutdownMs)
        // A pod's name is what orders and probes select it by.
        expect(container.env.map(({ name }) => name)).not.toContain('GONE_HOST_LABEL')
      }
    expect(pods.flatMap(({ containers }) => containers.map(({ args }) => args[0]))).toEqual(['serve', 'work'])
  })
})

describe('the units of systemd', () => {
  it.each(['gone.service', 'gone-work.service'])(
    '%s is what systemd takes, and waits for a drain',
    async (unit) => {
      const { stdout, stderr } = await run('systemd-analyze', ['verify', join(EXAMPLES, 'systemd', unit)])
      expect(stdout + stderr).not.toContain(unit)
      const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(example(`systemd/${unit}`)) ?? []
      expect(Number(seconds) * 1_000).toBeGreaterThan(readConfig({}).shutdownMs)
    },
  )

  it('gone-work.service starts again what is told to restart, and not what is told to stop', () => {
    const unit = example('systemd/gone-work.service')
    expect(unit).toMatch(/^Restart=on-failure$/m)
    for (const setting of ['RestartForceExitStatus', 'SuccessExitStatus'])
      expect(unit).toMatch(new RegExp(`^${setting}=${EXIT.restart}$`, 'm'))
  })
})
