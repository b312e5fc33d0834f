import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * A headless Chromium of the machine; the browser of playwright itself is not used.
 *
 * @param rebound names that it looks up as this machine
 */
export async function openBrowser(rebound: readonly string[] = []): Promise<Browser> {
  const executablePath = CHROMIUM.find((path) => existsSync(path))
  if (executablePath === undefined) {
    throw new Error(`no Chromium at ${CHROMIUM.join(', ')}: apt-get install chromium`)
  }
  return chromium.launch({
    executablePath,
    // Without these it talks to its maker's hosts at every start.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(rebound.length > 0
        ? [`--host-resolver-rules=${rebound.map((name) => `MAP ${name} 127.0.0.1`).join(',')}`]
        : []),
    ],
  })
}
