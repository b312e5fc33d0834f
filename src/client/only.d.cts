// For TypeScript that requires this from CommonJS: Node loads the module itself, as it is.
import type * as client from './only.js' with { 'resolution-mode': 'import' }

export type * from './only.js' with { 'resolution-mode': 'import' }
export declare const createClient: typeof client.createClient
export declare const GoneError: typeof client.GoneError
export type GoneError = client.GoneError
