import { GoneError } from '../errors.ts'
import { redisTrouble } from './trouble.ts'

/**
 * What `run` comes to.
 *
 * @param what is attempted, as in "cannot ...": a function where to say it costs more than to do it
 * @throws GoneError `STORE_UNAVAILABLE` for whatever Redis refuses or does not answer; a GoneError of `run` as it is
 */
export async function attempt<T>(what: string | (() => string), run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof GoneError) throw cause
    const step = typeof what === 'string' ? what : what()
    throw new GoneError('STORE_UNAVAILABLE', `cannot ${step}: ${redisTrouble(cause)}; safe to retry`, {
      cause,
    })
  }
}
