import { Option } from 'commander'
import { readSecretFile, withSecretFiles } from '../secrets.ts'

/** How a command is told its API key. Not the key itself: whoever lists processes would see it. */
export function keyFileOption(): Option {
  return new Option('--key-file <file>', 'where the API key is (GONE_KEY, or the file of GONE_KEY_FILE)')
}

/** The API key of a command's client; nothing where none was given. @throws GoneError `CONFIG` */
export function clientKey({ keyFile }: { readonly keyFile?: string }): { readonly key?: string } {
  const { GONE_KEY, GONE_KEY_FILE } = process.env
  const key =
    keyFile !== undefined
      ? readSecretFile('--key-file', keyFile)
      : withSecretFiles({ GONE_KEY, GONE_KEY_FILE }).GONE_KEY?.trim()
  return key ? { key } : {}
}
