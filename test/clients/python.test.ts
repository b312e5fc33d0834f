import { join } from 'node:path'
import { FILES, tryClient } from './suite.ts'

tryClient({
  name: 'Python',
  prepare: async () => ['python3', '-W', 'error', join(FILES, 'gone.py')],
  throwsAtExit: true,
})
