import type { Log } from '../../src/core/rounds/round-ports.ts'

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
