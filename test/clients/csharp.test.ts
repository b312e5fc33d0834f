import { join } from 'node:path'
import { FILES, run, tryClient } from './suite.ts'

tryClient({
  name: 'CSharp',
  async prepare(folder) {
    const program = join(folder, 'Gone.exe')
    const words = [
      '-langversion:7',
      '-warnaserror',
      '-define:GONE_PROGRAM',
      '-r:System.Net.Http',
      `-out:${program}`,
    ]
    await run('mcs', [...words, join(FILES, 'Gone.cs')])
    return ['mono', program]
  },
})
