/** What a service needs to take part in rounds. Free of server code, and of everything that only Node has. */

export type { AlertsOptions } from './client/alerts.ts'
export {
  type ClientOptions,
  type CompleteOptions,
  createClient,
  type Election,
  type ElectOptions,
  type FailOptions,
  type GoneClient,
  type Renewal,
  type RenewOptions,
  type Reported,
  type ReportOptions,
  type RoundOptions,
} from './client/client.ts'
export {
  defineWorker,
  type WorkerContext,
  type WorkerDefinition,
  type WorkerHandler,
  type WorkerJob,
  type WorkerOptions,
} from './client/define-worker.ts'
export type { Duration } from './client/duration.ts'
export { type Every, type EveryOptions, every, type SlotRun, type Turn } from './client/every.ts'
export type {
  ExpectationOptions,
  Expectations,
  ListExpectationsOptions,
  ListedExpectationJson,
  PutExpectation,
} from './client/expectations.ts'
export { type NodeCronCoordinator, type NodeCronOptions, nodeCronCoordinator } from './client/node-cron.ts'
export type { Lead, OnceEnd, OnceOptions } from './client/once.ts'
export type { ScheduledJob, ScheduleOptions } from './client/schedule-body.ts'
export type {
  BackfillOptions,
  ListedScheduleJson,
  ListSchedulesOptions,
  NextOptions,
  PutSchedule,
  Schedules,
  TriggerOptions,
} from './client/schedules.ts'
export type { ServerSlot } from './client/server-clock.ts'
export { type NominalTime, type SlotNow, type SlotOptions, slot, type Times } from './client/slot.ts'
export type { SubmitOptions, Submitted } from './client/submit.ts'
export type { Time } from './client/time.ts'
export type { FinishedRound, WaitOptions } from './client/wait.ts'
export type { AlertJson, ExpectationJson } from './core/alert-wire.ts'
export { JobFailed } from './core/job-failed.ts'
export type { RoundState } from './core/record.ts'
export type {
  BackfillJson,
  LastSlotJson,
  NextSlotsJson,
  ScheduleJson,
  SlotJson,
  TriggerJson,
} from './core/schedule-wire.ts'
export type { LedRoundJson, RoundJson, SubmittedRoundJson } from './core/wire.ts'
export { type ErrorCode, GoneError } from './errors.ts'
