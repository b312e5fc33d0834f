type Env = Readonly<Record<string, string | undefined>>

/**
 * The environment without what Kubernetes tells every pod of a Service whose name begins with `gone`: of one named `gone` that is
 * GONE_SERVICE_HOST, GONE_PORT=tcp://10.0.0.7:8080, GONE_PORT_8080_TCP_ADDR and so on. It tells the host and port of each, so that what
 * has a name of these without them is still found to be a typing error.
 */
export function withoutServiceLinks(env: Env): Env {
  const services = Object.keys(env).flatMap((name) => {
    const service = /^(GONE(?:_[A-Z0-9_]+)?)_SERVICE_HOST$/.exec(name)?.[1]
    return service !== undefined && `${service}_SERVICE_PORT` in env ? [service] : []
  })
  if (services.length === 0) return env
  const isLink = ([name, value]: readonly [string, string | undefined]) =>
    services.some(
      (service) => name.startsWith(`${service}_`) && isPart(name.slice(service.length + 1), value),
    )
  return Object.fromEntries(Object.entries(env).filter((entry) => !isLink(entry)))
}

/** GONE_PORT is also a setting of ours, which is a number. */
function isPart(name: string, value = ''): boolean {
  if (name === 'PORT') return /^(?:tcp|udp|sctp):\/\//i.test(value)
  return /^SERVICE_HOST$|^SERVICE_PORT(?:_|$)|^PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name)
}
