import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { builtPath, LOADER } from '../support/program.ts'

const MODULE = pathToFileURL(builtPath('src/process/exit.ts')).href

describe('a process that ends', () => {
  it('with much unread loses none of it, whichever stream it is on', async () => {
    const script = `
      import { exitWhenRead } from ${JSON.stringify(MODULE)}
      for (const stream of [process.stdout, process.stderr]) stream.write('x'.repeat(1_000_000) + 'end')
      void exitWhenRead(3)
      setInterval(() => {}, 1_000)`
    const child = spawn(process.execPath, [...LOADER, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'exit')
    const read = [child.stdout, child.stderr].map(async (stream) => {
      // Nobody reads before the process has come to its end.
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      let text = ''
      for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) text += chunk
      return text
    })
    for (const text of await Promise.all(read)) {
      expect(text.length).toBe(1_000_003)
      expect(text.endsWith('xend')).toBe(true)
    }
    expect(await ended).toEqual([3, null])
  })

  it('has no reader to wait for where that has gone', async () => {
    const script = `
      import { exitWhenRead } from ${JSON.stringify(MODULE)}
      process.stdout.on('error', () => {})
      process.stdout.write('x'.repeat(1_000_000))
      void exitWhenRead(3)`
    const child = spawn(process.execPath, [...LOADER, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = once(child, 'exit')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    child.stdout.destroy()
    expect(await ended).toEqual([3, null])
  })
})
