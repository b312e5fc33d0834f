import { type ErrorCode, GoneError } from '../errors.ts'

/** Over HTTP some outcomes come as problems; here they are answers, and only what could not be answered is thrown. */
export function outcomeOf<T>(outcomes: Partial<Record<ErrorCode, (detail: string) => T>>) {
  return (error: unknown): T => {
    const outcome = error instanceof GoneError ? outcomes[error.code] : undefined
    if (outcome === undefined) throw error
    return outcome((error as GoneError).message)
  }
}
