/** What a service needs to take part in rounds. Free of server code, and of everything that only Node has. */

export type { AlertsOptions } from './client/alerts.ts'
export { type ClientOptions, createClient, type GoneClient } from './client/client.ts'
export {
  type Calls,
  defineWorker,
  type WorkerCallOptions,
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
export type { RoundsOptions, TallyOptions } from './client/list-rounds.ts'
export { type NodeCronCoordinator, type NodeCronOptions, nodeCronCoordinator } from './client/node-cron.ts'
export type { Lead, OnceEnd, OnceOptions } from './client/once.ts'
export type {
  Cancelled,
  CompleteOptions,
  Election,
  ElectOptions,
  FailOptions,
  PurposeOptions,
  Renewal,
  RenewOptions,
  Reported,
  ReportOptions,
  Retried,
  RoundOptions,
} from './client/rounds.ts'
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
export type { TakenJob, TakeOptions } from './client/take.ts'
export type { Time } from './client/time.ts'
export type { FinishedRound, WaitOptions } from './client/wait.ts'
export type { AlertJson, ExpectationJson } from './core/alerts/alert-wire.ts'
export { JobFailed } from './core/rounds/job-failed.ts'
export type { QueueJson } from './core/rounds/queue-wire.ts'
export type { RoundState } from './core/rounds/record.ts'
export type {
  LedRoundJson,
  RoundEndJson,
  RoundJson,
  SubmittedRoundJson,
  TallyJson,
} from './core/rounds/round-wire.ts'
export type {
  BackfillJson,
  LastSlotJson,
  NextSlotsJson,
  ScheduleJson,
  SlotJson,
  TriggerJson,
} from './core/schedules/schedule-wire.ts'
export type { StatusJson } from './core/status-wire.ts'
export { type ErrorCode, GoneError } from './errors.ts'
