/**
 * What a failed Redis command means, in words for the person who reads the error. The texts matched are those of
 * ioredis 6 and Redis 7; anything else is named by its first line.
 */
export function redisTrouble(error: unknown): string {
  const text = textOf(error)
  if (text.startsWith('OOM')) return 'Redis has no memory left (maxmemory)'
  if (text.startsWith('MISCONF')) return 'Redis cannot write to its disk'
  if (text.startsWith('READONLY')) return 'Redis is a read-only replica'
  if (text.startsWith('NOREPLICAS'))
    return 'Redis has fewer replicas than it is to have (min-replicas-to-write)'
  if (text.startsWith('LOADING')) return 'Redis is loading its data'
  if (text.startsWith('CLUSTERDOWN')) return 'the Redis cluster is down'
  if (isRefusedDatabase(error)) return `Redis does not give us that database (${text})`
  if (text.startsWith('All sentinels')) return sentinelTrouble(text)
  if (text.startsWith('NOAUTH') || text.startsWith('WRONGPASS')) return 'Redis wants other credentials'
  if (text.startsWith('NOPERM')) return `Redis permits too little (${text})`
  if (/certificate/i.test(text)) return certificateTrouble(text)
  if (text === 'Failed to refresh slots cache.' || text.startsWith("Cluster isn't ready"))
    return 'no node of the Redis cluster is reachable'
  if (text === 'Command timed out' || text.startsWith('Socket timeout')) return 'Redis did not answer in time'
  if (/isn't writeable|Connection is closed|max retries per request|ECONN|EPIPE|Socket closed/.test(text)) {
    return 'Redis is not reachable'
  }
  return `Redis refused (${text.split('\n')[0]})`
}

/** True if Redis did not select the database that the URL names. */
export function isRefusedDatabase(error: unknown): boolean {
  return (error as { command?: { name?: string } }).command?.name === 'select'
}

/** True if Redis has understood who asks for what, and says no: it would say so again. */
export function isFinal(error: unknown): boolean {
  return isRefusedDatabase(error) || /^(NOAUTH|WRONGPASS)|Last error: (NOAUTH|WRONGPASS)/.test(textOf(error))
}

/** Of a Cluster none of whose nodes answered, what the last one said. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { lastNodeError } = error as { lastNodeError?: Error }
  return /^(NOAUTH|WRONGPASS)/.test(lastNodeError?.message ?? '')
    ? String(lastNodeError?.message)
    : error.message
}

function sentinelTrouble(text: string): string {
  if (/Last error: (NOAUTH|WRONGPASS)/.test(text))
    return 'the sentinels want other credentials (?sentinel-user= and ?sentinel-password= in the URL)'
  return 'no sentinel is reachable'
}

function certificateTrouble(text: string): string {
  const trouble = `the certificate of Redis is not accepted (${text.split('\n')[0]})`
  const isUnknown = /self-signed|unable to (verify|get)/.test(text)
  return isUnknown ? `${trouble}; a private authority is named in NODE_EXTRA_CA_CERTS` : trouble
}
