import { expect, it } from 'vitest'
import { fieldOf } from '../../src/console/pages/schedule-fields.ts'
import { OVERLAPS } from '../../src/core/schedules/schedule-body.ts'

it('offers each overlap that there is', () => {
  expect(fieldOf('overlap').choices).toEqual(OVERLAPS)
})
