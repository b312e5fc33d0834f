import { defineConfig } from 'vitest/config'

/** Apart from `npm test`, because it needs a Chromium on the machine. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
