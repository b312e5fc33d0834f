import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take long, the longest first: one that began last would be waited for by all. */
const LONG = [
  'e2e/help-examples',
  'e2e/schedules',
  'e2e/dispatch',
  'e2e/demo',
  'integration/embedded',
  'e2e/cli',
  'integration/store-loss',
  'e2e/alerts',
  'integration/chaos',
  'integration/schedules-forms',
  'integration/schedules',
  'e2e/schedule-cli',
  'e2e/once',
  'integration/fleet',
  'e2e/readme',
  'integration/redis-acl',
  'integration/redis-forms',
  'integration/worker-outage',
  'e2e/election',
  'e2e/packaging',
  'e2e/shutdown',
  'integration/jobs',
  'unit/timetable-libraries',
  'e2e/crash',
  'integration/redis-trouble',
  'integration/alerts',
  'integration/gate',
  'unit/timetable-zones',
  'integration/in-between',
  'integration/access',
  'e2e/examples',
  'integration/counted-work',
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
