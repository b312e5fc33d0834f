import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    include: ['test/{core,contract,integration,e2e}/**/*.test.ts'],
    // Real servers and processes: slow machines get time, and a hang still ends.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // More than there are cores in CI: most of these tests wait most of the time, for leases and deadlines and Redis.
    maxWorkers: 4,
  },
})
