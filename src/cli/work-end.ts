import { EXIT } from './terminal.ts'

/**
 * How the workers of a server end where it is to do otherwise than start them again: whatever else they end with, a handler
 * may have ended them. `unable` is EX_CONFIG of sysexits.
 */
export const WORK_END = { restart: EXIT.restart, stop: 79, unable: 78 } as const
