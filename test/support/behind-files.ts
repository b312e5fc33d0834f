import { afterAll } from 'vitest'
import { closeLeftOpen } from './left-open.ts'

// The runner runs this for each file of tests, and what the file imports only for the first that does so.
afterAll(closeLeftOpen)
