// For TypeScript that requires this from CommonJS: Node loads the module itself, as it is.
import type * as testing from './testing.js' with { 'resolution-mode': 'import' }

export type * from './testing.js' with { 'resolution-mode': 'import' }
export declare const createTestGone: typeof testing.createTestGone
