import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

interface Unpacking {
  readonly env: NodeJS.ProcessEnv
  /** ends the work early; every child process is killed */
  readonly signal: AbortSignal
}

const run = promisify(execFile)

// The binary `redis-server` is a link into the package redis-tools, which may be installed without the other.
const SERVER_PACKAGES = ['redis-server', 'redis-tools']

// A C library other than the one of the running loader crashes every program that is given it.
const NEVER = /^(libc6|libc-bin|libgcc)/

// Read after the system's own configuration, so it can undo it: hooks there would empty the system's cache, and extra
// index files (Contents, sources, translations) would take minutes. Without a sandbox user apt runs the same as root. The list of installed packages has to be named:
// with Dir::State moved, apt looks for it there, finds nothing installed and fetches half a distribution.
const APT_CONF = `
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::Languages;
#clear Acquire::IndexTargets;
Acquire::Languages "none";
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
};
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
APT::Sandbox::User "root";
Dir::State::status "/var/lib/dpkg/status";
Dir::State::lists "lists/";
Dir::Cache::archives "archives/";
`

/**
 * Unpacks the distribution's redis-server and the libraries this machine lacks below `folder`, which has to exist.
 *
 * Needs neither root nor the system's package lists, and leaves all of apt's state as it was.
 *
 * @returns the folder below `folder` that has `usr/bin/redis-server` in it
 * @throws Error whose message is the last thing that apt complained about
 */
export async function unpackDistributionPackage(folder: string, { env, signal }: Unpacking): Promise<string> {
  const [apt, packages, unpacked] = [join(folder, 'apt'), join(folder, 'packages'), join(folder, 'unpacked')]
  for (const path of [packages, unpacked, join(apt, 'lists/partial'), join(apt, 'archives/partial')]) {
    await mkdir(path, { recursive: true, mode: 0o755 })
  }
  await writeFile(join(apt, 'apt.conf'), APT_CONF)

  const options = { cwd: packages, env: { ...env, LC_ALL: 'C' }, signal, killSignal: 'SIGKILL' } as const
  const call = (command: string, args: string[]) =>
    run(command, args, options).catch((error: unknown) => {
      throw new Error(complaint(error, signal), { cause: error })
    })
  const aptGet = (...args: string[]) =>
    call('apt-get', [
      '-c',
      join(apt, 'apt.conf'),
      '-o',
      `Dir::State=${apt}`,
      '-o',
      `Dir::Cache=${apt}`,
      ...args,
    ])

  // One broken source of many is no reason to stop: the next steps tell whether the packages are known.
  const update = await aptGet('update').catch((error: Error) => error)
  try {
    const plan = await aptGet('install', '--simulate', '--no-install-recommends', ...SERVER_PACKAGES)
    await aptGet('download', ...new Set([...SERVER_PACKAGES, ...plannedLibraries(plan.stdout)]))
  } catch (error) {
    throw update instanceof Error ? update : error
  }
  for (const name of await readdir(packages)) await call('dpkg-deb', ['-x', name, unpacked])
  return unpacked
}

/** The libraries of a plan with lines such as `Inst liblzf1 (3.6-3 Debian:12.15/oldstable [amd64])`. */
function plannedLibraries(plan: string): string[] {
  const names = [...plan.matchAll(/^Inst (\S+) /gm)].map(([, name = '']) => name)
  return names.filter((name) => name.startsWith('lib') && !NEVER.test(name))
}

function complaint(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it took too long'
  const { stderr = '', message = String(error) } = error as { stderr?: string; message?: string }
  const lines = stderr.split('\n').filter((line) => line.startsWith('E: ') || line.startsWith('dpkg-deb: '))
  return lines.at(-1) ?? message.split('\n')[0] ?? 'unknown reason'
}
