import { h, type VNode } from '../lib/preact.js'
import { Icon, type Mark } from './icons.tsx'

const LOOKS: Readonly<Record<string, readonly [Mark, string]>> = {
  submitted: ['wait', 'wait'],
  led: ['play', 'accent'],
  overdue: ['warn', 'warn'],
  completed: ['tick', 'good'],
  failed: ['cross', 'bad'],
  missed: ['cross', 'bad'],
  late: ['warn', 'warn'],
  unreported: ['warn', 'warn'],
  'few-candidates': ['warn', 'warn'],
  'no-worker': ['cross', 'bad'],
  open: ['warn', 'warn'],
  resolved: ['tick', 'good'],
  registered: ['tick', 'good'],
  unregistered: ['wait', 'wait'],
  stopping: ['wait', 'wait'],
  unresponsive: ['warn', 'warn'],
  stopped: ['wait', 'wait'],
  'crash-looping': ['cross', 'bad'],
  'crash-loop': ['cross', 'bad'],
  stuck: ['warn', 'warn'],
  lost: ['cross', 'bad'],
  died: ['cross', 'bad'],
  ended: ['wait', 'wait'],
  active: ['tick', 'good'],
  paused: ['wait', 'wait'],
  over: ['wait', 'wait'],
  obeying: ['play', 'accent'],
  done: ['tick', 'good'],
  expired: ['warn', 'warn'],
  waiting: ['wait', 'wait'],
  begins: ['play', 'accent'],
  works: ['tick', 'good'],
  rolling: ['play', 'accent'],
  'rolling-back': ['warn', 'warn'],
  'rolled-back': ['cross', 'bad'],
  there: ['tick', 'good'],
}

/** A state, as a shape and the API's own word. */
export function Badge({ state }: { readonly state: string }): VNode {
  const [mark, tone] = LOOKS[state] ?? (['dot', 'wait'] as const)
  return (
    <span class={`badge ${tone}`}>
      <Icon mark={mark} />
      {state}
    </span>
  )
}
