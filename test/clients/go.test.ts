import { join } from 'node:path'
import { FILES, run, tryClient } from './suite.ts'

tryClient({
  name: 'Go',
  async prepare(folder) {
    const env = { ...process.env, CGO_ENABLED: '0', GOCACHE: join(folder, 'cache'), GOFLAGS: '-mod=mod' }
    await run('go', ['build', '-o', join(folder, 'gone'), join(FILES, 'gone.go')], { env })
    return [join(folder, 'gone')]
  },
})
