import { defineConfig } from 'vitest/config'

/** Apart from `npm test`, because it needs a Chromium on the machine. */
export default defineConfig({
  test: {
    globalSetup: 'test/support/browser-setup.ts',
    include: ['test/browser/**/*.test.ts'],
    // A page waits most of the time for what is told to it: beside another file it takes half as long, and no longer than it may.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // What was found wrong is told whole, also where only the first line of a failure is read.
    chaiConfig: { truncateThreshold: 2_000 },
  },
})
