import { pause } from './within.ts'

/**
 * Does the work again and again until the signal is aborted, each time after the one before has ended. Never rejects.
 *
 * @param everyMs the pause between two, give or take a quarter: replicas started together do not all work together
 * @param work answers true where there is more to do at once
 * @param putOff told why the work could not be done this time
 */
export async function repeat(
  signal: AbortSignal,
  everyMs: number,
  work: () => Promise<unknown>,
  putOff: (cause: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    const isMore = await work().catch((error) => putOff(String(error)))
    if (isMore !== true) await pause(everyMs * (0.75 + Math.random() / 2), signal)
  }
}
