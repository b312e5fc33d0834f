import { join } from 'node:path'
import { FILES, tryClient } from './suite.ts'

tryClient({ name: 'Ruby', prepare: async () => ['ruby', '-w', join(FILES, 'gone.rb')], throwsAtExit: true })
