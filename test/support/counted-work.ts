import { Session } from 'node:inspector/promises'

/**
 * Counts what JavaScript does: how often each block of ours and of our dependencies is run. A time says what the machine
 * was busy with; this says how the work grows.
 */
export async function openWorkCounter(): Promise<{
  /** How many blocks were run, `run` and whatever else the process did meanwhile. */
  count(run: () => Promise<unknown>): Promise<number>
  close(): Promise<void>
}> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  const taken = async () => {
    const { result } = await session.post('Profiler.takePreciseCoverage')
    return result
      .filter(
        ({ url }) =>
          /\/(src|node_modules)\//.test(url) && !/\/node_modules\/(vite|vitest|@vitest)\//.test(url),
      )
      .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
      .reduce((sum, { count }) => sum + count, 0)
  }
  return {
    async count(run) {
      await taken()
      await run()
      return taken()
    },
    async close() {
      await session.post('Profiler.stopPreciseCoverage')
      session.disconnect()
    },
  }
}
