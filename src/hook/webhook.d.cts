// For TypeScript that requires this from CommonJS: Node loads the module itself, as it is.
import type * as webhook from './webhook.js' with { 'resolution-mode': 'import' }

export type * from './webhook.js' with { 'resolution-mode': 'import' }
export declare const verifyWebhook: typeof webhook.verifyWebhook
