import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { CannotRun } from './scenario.ts'
import { TREE } from './tree.ts'
import type { World } from './world.ts'

/** Runs a file, and dies with its parent: the harness may be killed. */
const START =
  "import ctypes, runpy, sys; getattr(ctypes.CDLL(None), 'prctl', lambda *_: 0)(1, 9); " +
  "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"

/** The probe in another language: notes its start and its end past Redis, and takes as long as its data says. */
const PROBE = `
import json, os, sys, time
data = json.load(sys.stdin) or {}
def note(phase):
    effect = {"kind": "effect", "atMs": time.monotonic() * 1000, "system": os.environ["GONE_SYSTEM"],
              "round": os.environ["GONE_ROUND"], "fence": int(os.environ["GONE_FENCE"]), "phase": phase, "pid": os.getpid()}
    with open(os.environ["CHAOS_EFFECTS"], "a") as file:
        file.write(json.dumps(effect, separators=(",", ":")) + "\\n")
note("start")
time.sleep(data.get("sleepMs", 0) / 1000)
note("end")
print(json.dumps({"fence": int(os.environ["GONE_FENCE"])}))
`

/** `examples/worker.py`, which takes the probe's jobs over HTTP alone. */
export function startPython(world: World, url: string, env: Record<string, string> = {}): ChildProcess {
  if (spawnSync('python3', ['--version']).status !== 0) throw new CannotRun('there is no python3 here')
  const words = ['-c', START, join(TREE, 'examples/worker.py'), 'probe', 'python3', '-c', PROBE]
  const child = spawn('python3', words, {
    env: {
      PATH: process.env.PATH ?? '',
      GONE_URL: url,
      GONE_LEASE: '2s',
      GONE_SLOTS: '4',
      CHAOS_EFFECTS: world.effectsFile,
      ...env,
    },
    stdio: 'ignore',
  })
  world.onEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}
