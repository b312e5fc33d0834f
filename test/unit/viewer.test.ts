import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it, onTestFinished } from 'vitest'
import { viewerOn } from '../../src/http/pages/stream.ts'
import { Teller, type Viewer } from '../../src/http/pages/teller.ts'

const MIB = 1_048_576
const TEXT_BYTES = 65_536

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What this process has in use, without what is garbage. */
function usedBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

it('cuts a page off that does not read, at 1 MB behind: 2 MB at most, and the others hear as fast as before', async () => {
  const teller = new Teller({ readings: {} })
  onTestFinished(() => teller.stop())
  const opened: { raw: ServerResponse; viewer: Viewer }[] = []
  const server = createServer((_, raw) => {
    const viewer = viewerOn(raw, async () => true)
    raw.once('close', () => teller.remove(viewer))
    raw.writeHead(200)
    teller.add(viewer)
    opened.push({ raw, viewer })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const look = async (isReading: boolean) => {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    if (!isReading) socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const before = opened.length
    await expect.poll(() => opened.length, { timeout: 10_000 }).toBe(before + 1)
    return socket
  }
  let [heard, sent, texts] = [0, 0, 0]
  const reader = await look(true)
  let onHeard = () => {}
  reader.on('data', (chunk) => {
    heard += chunk.length
    if (heard >= sent) onHeard()
  })
  /** Tells all, each of a text of its own, and says how long it took until who reads has heard it. */
  const tell = async () => {
    texts += 1
    const text = String(texts).padEnd(TEXT_BYTES, 'x')
    sent += text.length
    const told = new Promise<void>((resolve) => (onHeard = resolve))
    const startMs = performance.now()
    for (const { viewer } of opened) viewer.send(text)
    await told
    return performance.now() - startMs
  }
  const alone: number[] = []
  for (let n = 0; n < 50; n += 1) alone.push(await tell())

  await look(false)
  const [awake, asleep] = opened
  const before = usedBytes()
  const [beside, used]: [number[], number[]] = [[], []]
  // What the machine itself keeps for a connection comes before.
  while (asleep && !asleep.raw.destroyed && sent < 200 * MIB) {
    beside.push(await tell())
    expect(asleep.raw.writableLength).toBeLessThanOrEqual(MIB + 2 * TEXT_BYTES)
    if (asleep.raw.writableLength > MIB - 2 * TEXT_BYTES) used.push(usedBytes() - before)
  }
  expect([asleep?.raw.destroyed, awake?.raw.destroyed]).toEqual([true, false])
  expect(used.length).toBeGreaterThan(0)
  // Of several looks the least: in the others is what the reader has just been sent.
  expect(Math.min(...used)).toBeLessThanOrEqual(2 * MIB)
  // Twice, and a millisecond: what a loaded machine takes for the same.
  expect(median(beside)).toBeLessThanOrEqual(2 * median(alone) + 1)
})
