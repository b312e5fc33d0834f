/** A server that answers HTTP, as it tells of itself. */
export interface ServerFacts {
  /** New at each start. */
  readonly id: string
  readonly host: string
  readonly pid: number
  /** Of gone. */
  readonly version: string
  /** Of Node. */
  readonly node: string
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string
}

/** Which servers there are, by what each says every few seconds. */
export interface Servers {
  /** @throws GoneError `STORE_UNAVAILABLE` */
  beat(server: ServerFacts): Promise<void>
  /** Forgets it at once; one that does not say so is forgotten soon. */
  leave(server: ServerFacts): Promise<void>
  /** Those that were heard of late, by host and process. @throws GoneError `STORE_UNAVAILABLE` */
  list(): Promise<{ readonly servers: readonly ServerFacts[]; readonly nowMs: number }>
}
