import type { Log } from '../core/rounds/round-ports.ts'

/**
 * Does what may also be done later, by a part that looks for what was left. So a failure is a line in the log, not the
 * caller's trouble. Never rejects.
 *
 * @param about what it is of: fields of the line
 * @param words what is not done yet, and who does it later
 */
export async function orLater(
  log: Pick<Log, 'warn'>,
  about: Readonly<Record<string, unknown>>,
  words: string,
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act()
  } catch (error) {
    log.warn({ ...about, cause: String(error) }, words)
  }
}
