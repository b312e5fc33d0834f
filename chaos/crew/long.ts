export { default } from '../workers/probe.ts'
