import { expect, it } from 'vitest'
import { WorkInstance } from '../../src/app/instance.ts'

const LABELS = { id: 'i', release: '1', region: 'eu', host: 'h' }

it('an instance that ends says so, also where it is told to take no jobs meanwhile', async () => {
  const instance = new WorkInstance(new Map(), LABELS, async () => {})
  await instance.rest()
  expect(await instance.obey({ order: '1', verb: 'unregister' })).toBe('done')
  expect(instance.facts().mode).toBe('stopping')
  instance.stop()
})
