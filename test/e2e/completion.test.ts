import { expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { tryCompletion } from '../support/completion.ts'
import { openShell } from '../support/typing.ts'

tryCompletion('bash', (world) => openShell('bash', 'source <(gone completion bash)', world))

it('offers the commands, and says nothing, where no server answers', async () => {
  const words = ['completion', 'words', '--', 'schedule', 'pause', '']
  const { code, stdout, stderr } = await runCli(words, { GONE_URL: 'http://127.0.0.1:9' })
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
})
