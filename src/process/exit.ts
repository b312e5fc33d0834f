/**
 * Ends this process once what it has written is taken: `process.exit` alone drops what a slow reader of a pipe has not.
 * Never resolves. A reader that takes nothing is waited for, as any program does; a signal ends the wait.
 */
export async function exitWhenRead(code: number): Promise<never> {
  process.exitCode = code
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  await Promise.all([process.stdout, process.stderr].map(whenRead))
  process.exit(code)
}

function whenRead(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    // A reader that has gone loses nothing.
    stream.on('error', () => resolve())
    if (stream.writableLength === 0 || stream.destroyed) resolve()
    else stream.write('', () => resolve())
  })
}
