import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take long, the longest first: one that began last would be waited for by all. */
const LONG = [
  'e2e/schedules',
  'integration/idle',
  'integration/embedded',
  'integration/fleet',
  'e2e/cli',
  'e2e/dispatch',
  'e2e/demo',
  'e2e/help-examples',
  'e2e/alerts',
  'integration/supervisor',
  'integration/store-loss',
  'e2e/once',
  'e2e/packaging',
  'integration/schedules',
  'integration/jobs',
  'integration/redis-forms',
  'e2e/silent-redis',
  'e2e/shutdown',
  'integration/chaos',
  'e2e/python-worker',
  'integration/schedules-forms',
  'e2e/schedule-cli',
  'integration/redis-trouble',
  'integration/recycle',
  'integration/worker-outage',
  'integration/secrets',
  'unit/timetable-libraries',
  'integration/redis-acl',
  'e2e/embedded-redis',
  'integration/alerts',
  'integration/access',
  'integration/logs',
  'e2e/status-cli',
  'e2e/serve-work',
  'integration/retry',
  'e2e/crash',
  'integration/limits',
  'e2e/expectation-cli',
  'e2e/readme',
  'e2e/in-process-cron',
  'e2e/tour',
].map((file) => `/test/${file}.test.ts`)

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONG.findIndex((file) => moduleId.endsWith(file))
      return index < 0 ? LONG.length : index
    }
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    include: ['test/{unit,contract,integration,e2e}/**/*.test.ts'],
    // Real servers and processes: slow machines get time, and a hang still ends.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // What was found wrong is told whole, also where only the first line of a failure is read.
    chaiConfig: { truncateThreshold: 2_000 },
    // More than there are cores in CI: most of these tests wait most of the time, for leases and deadlines and Redis.
    maxWorkers: 6,
    sequence: { sequencer: LongestFirst },
  },
})
