// For TypeScript that requires this from CommonJS: Node loads the module itself, as it is.
import type * as gone from './index.js' with { 'resolution-mode': 'import' }

export type * from './index.js' with { 'resolution-mode': 'import' }
export declare const createClient: typeof gone.createClient
export declare const defineWorker: typeof gone.defineWorker
export declare const every: typeof gone.every
export declare const nodeCronCoordinator: typeof gone.nodeCronCoordinator
export declare const slot: typeof gone.slot
export declare const GoneError: typeof gone.GoneError
export declare const JobFailed: typeof gone.JobFailed
export type GoneError = gone.GoneError
export type JobFailed = gone.JobFailed
