import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BUGS } from '../../chaos/bugs.ts'
import { RULES } from '../../chaos/checker.ts'
import { drawSetting, sayOf } from '../../chaos/mix/setting.ts'
import { startProxy, type TcpProxy } from '../../chaos/proxy.ts'
import { Random } from '../../chaos/random.ts'
import { runScenario } from '../../chaos/runner.ts'
import { SCENARIOS } from '../../chaos/scenarios/all.ts'
import { FLEET_MIX } from '../../chaos/scenarios/fleet-mix.ts'
import { mountSmallDisk, type SmallDisk } from '../../chaos/small-disk.ts'
import { builtAt, copyTree, TREE } from '../../chaos/tree.ts'

const DOCS = new URL('../../docs/chaos.md', import.meta.url)

describe('docs/chaos.md', () => {
  it('lists every scenario, rule and bug as the harness has it', async () => {
    const docs = await readFile(DOCS, 'utf8')
    const rows = docs.split('\n')
    for (const [rule, about] of Object.entries(RULES)) {
      if (rule !== 'claim') expect(rows).toContain(`- \`${rule}\`: ${about}.`)
    }
    const listed = (name: string, about: string) =>
      rows.some((row) => row.startsWith(`| \`${name}\` | ${about} |`))
    expect(SCENARIOS.filter(({ name, proves }) => !listed(name, proves)).map(({ name }) => name)).toEqual([])
    expect(BUGS.filter(({ name, about }) => !listed(name, about)).map(({ name }) => name)).toEqual([])
  })
})

describe('the README', () => {
  it('counts as many scenarios and bugs as there are, and nothing that was broken', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    const survived = SCENARIOS.filter(({ breaks }) => breaks === undefined)
    const [directed, mixes] = readme.split('<!-- chaos -->')[1]?.split('\n').slice(4) ?? []
    expect(directed).toMatch(
      new RegExp(`^\\| directed scenarios \\| ${survived.length} \\| .* \\| 0 \\| 0 \\| 0 \\|$`),
    )
    expect(mixes).toMatch(/^\| faults drawn by lot \| \d+ \| .* \| 0 \| 0 \| 0 \|$/)
    expect(readme).toContain(`\n${BUGS.length} of ${BUGS.length} bugs caught.\n`)
  })
})

describe('the scenarios', () => {
  it('have names of their own, and each bug one of them to catch it', () => {
    const names = SCENARIOS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const catching = [...names, FLEET_MIX.name]
    expect(BUGS.filter(({ caughtBy }) => !catching.includes(caughtBy))).toEqual([])
  })
})

describe('a copy of the tree', () => {
  it('is refused where a text to replace is not there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gone-test-chaos-'))
    const patch = { file: 'src/app/server.ts', find: 'no such text', replace: '' }
    await expect(copyTree(folder, [patch])).rejects.toThrow('found it 0 times')
    await rm(folder, { recursive: true, force: true })
  })
})

describe('an older tree', () => {
  it('that this clone does not have is not run, and not taken for a pass', async () => {
    const result = await runScenario(
      { name: 'x', proves: 'x', run: async ({ folder }) => void (await builtAt(folder, 'f'.repeat(40))) },
      { seed: 1, root: TREE, size: 1, interruption: new AbortController().signal },
    )
    expect(result).toMatchObject({
      isGood: false,
      couldNotRun: true,
      trouble: `commit ${'f'.repeat(40)} is not in this clone; get it with "git fetch --unshallow"`,
    })
  })
})

describe('the stage of the mix', () => {
  it('is the same for a seed, and all that can be drawn is drawn', () => {
    const drawn = Array.from({ length: 60 }, (_, seed) => drawSetting(new Random(seed).fork('setting')))
    expect(drawSetting(new Random(7).fork('setting'))).toEqual(drawn[7])
    const said = drawn.map(sayOf)
    for (const word of [
      'appendfsync always',
      'appendfsync everysec',
      'gate of three',
      'no gate',
      'right clocks',
      'off by',
      'one build',
      'facade 0 of another build',
      'facade 2 of another build',
      'dies at its awaits',
      'stopped at its awaits',
    ])
      expect(said.some((line) => line.includes(word))).toBe(true)
  })
})

describe('a small disk', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gone-test-chaos-'))
  })

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('has no byte when it is full, and some when there is room again', async () => {
    const disk = await mountSmallDisk(folder, 2)
    // There are machines on which nobody may mount anything.
    const seen = disk ? await fillAndEmpty(disk) : 'not permitted'
    expect(['ENOSPC, then room', 'not permitted']).toContain(seen)
    expect(await readdir(join(folder, 'disk'))).toEqual([])
  })

  it('is none where no namespace can be made', async () => {
    vi.stubEnv('PATH', folder)
    try {
      expect(await mountSmallDisk(folder, 2)).toBeUndefined()
    } finally {
      vi.unstubAllEnvs()
    }
  })

  async function fillAndEmpty(disk: SmallDisk): Promise<string> {
    const file = join(disk.seenAt, 'file')
    try {
      await disk.fill()
      const trouble = await writeFile(file, 'x').then(
        () => 'room',
        (error: NodeJS.ErrnoException) => error.code,
      )
      await disk.makeRoom()
      await writeFile(file, 'x')
      return `${trouble}, then ${(await readFile(file, 'utf8')) === 'x' ? 'room' : 'none'}`
    } finally {
      await disk.stop()
    }
  }
})

describe('the proxy', () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      heard += chunk
      socket.write(chunk)
    })
  })
  let heard = ''
  let proxy: TcpProxy

  beforeEach(async () => {
    heard = ''
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    proxy = await startProxy((server.address() as AddressInfo).port)
  })

  afterEach(async () => {
    await proxy.stop()
    server.close()
    await once(server, 'close')
  })

  async function open() {
    const socket = connect(proxy.port, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    const seen = { text: '', isClosed: false }
    socket.on('data', (chunk) => {
      seen.text += chunk
    })
    socket.once('close', () => {
      seen.isClosed = true
    })
    return { socket, seen }
  }

  it('keeps the order of the bytes, also while its delay changes', async () => {
    const { socket, seen } = await open()
    let sent = ''
    for (let n = 0; n < 200; n += 1) {
      proxy.delay(n % 3 === 0 ? 30 : 0)
      sent += `${n},`
      socket.write(`${n},`)
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await expect.poll(() => seen.text, { timeout: 30_000 }).toBe(sent)
  })

  it('loses one request, or one reply, up to the end of the connection', async () => {
    proxy.swallowRequest('one')
    const first = await open()
    first.socket.write('one')
    await expect.poll(() => first.seen.isClosed).toBe(true)
    expect(heard).toBe('')

    proxy.swallowReply('two')
    const second = await open()
    second.socket.write('two')
    await expect.poll(() => second.seen.isClosed).toBe(true)
    expect([heard, second.seen.text, proxy.swallowed]).toEqual(['two', '', 2])

    const third = await open()
    third.socket.write('one two')
    await expect.poll(() => third.seen.text).toBe('one two')
  })

  it('loses one direction, with the connection up, until it heals', async () => {
    proxy.drop('replies')
    const { socket, seen } = await open()
    socket.write('unheard')
    await expect.poll(() => heard).toBe('unheard')
    expect(seen).toEqual({ text: '', isClosed: false })
    proxy.heal()
    await expect.poll(() => seen.isClosed).toBe(true)
    const next = await open()
    next.socket.write('heard')
    await expect.poll(() => next.seen.text).toBe('heard')
  })
})
