import { join } from 'node:path'
import { FILES, tryClient } from './suite.ts'

tryClient({ name: 'PHP', prepare: async () => ['php', '-d', 'error_reporting=-1', join(FILES, 'gone.php')] })
