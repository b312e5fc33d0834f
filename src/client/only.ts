/**
 * The client by itself, as `gone/client`: `fetch`, and nothing of Node or of any package, so that it runs in browsers, workers and at
 * the edge.
 */

export { GoneError } from '../errors.ts'
export { type ClientOptions, createClient, type GoneClient } from './client.ts'
