import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { viewerOn } from '../../src/http/pages/stream.ts'
import { Teller, type Viewer } from '../../src/http/pages/teller.ts'
import { pause } from '../../src/waiting.ts'

const MIB = 1_048_576
const TEXT = 'x'.repeat(65_536)

it('cuts a page off that does not read, at 1 MB behind, and the others hear on', async () => {
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
  await look(false)
  const reader = await look(true)
  let heard = 0
  reader.on('data', (chunk) => {
    heard += chunk.length
  })
  const [asleep, awake] = opened
  let sent = 0
  // What the machine itself keeps for a connection comes before.
  while (asleep && !asleep.raw.destroyed && sent < 200 * MIB) {
    for (const { viewer } of opened) viewer.send(TEXT)
    sent += TEXT.length
    expect(asleep.raw.writableLength).toBeLessThanOrEqual(MIB + 2 * TEXT.length)
    await pause(1)
  }
  expect([asleep?.raw.destroyed, awake?.raw.destroyed]).toEqual([true, false])
  await expect.poll(() => heard, { timeout: 30_000 }).toBeGreaterThanOrEqual(sent)
})
