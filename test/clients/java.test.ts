import { join } from 'node:path'
import { FILES, run, tryClient } from './suite.ts'

tryClient({
  name: 'Java',
  async prepare(folder) {
    await run('javac', ['-Xlint:all,-serial', '-Werror', '-d', folder, join(FILES, 'Gone.java')])
    return ['java', '-XX:TieredStopAtLevel=1', '-cp', folder, 'Gone']
  },
})
