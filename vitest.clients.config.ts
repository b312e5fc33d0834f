import { defineConfig } from 'vitest/config'

/** Apart from `npm test`, because it needs Go, Java, Mono, PHP, Ruby, PostgreSQL, MariaDB, Helm, cron (as root), zsh and fish on the machine. */
export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    include: ['test/clients/**/*.test.ts'],
    // More than there are cores in CI: they wait most of the time, for leases.
    maxWorkers: 6,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
})
