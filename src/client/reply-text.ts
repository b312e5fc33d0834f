/** The largest reply that is read: several times a page of a thousand rounds. What is larger comes from no gone server. */
export const MAX_REPLY_BYTES = 32 * 1024 * 1024

/** A reply is larger than any of a gone server's. */
export class ReplyTooLarge extends Error {
  constructor() {
    super(`its answer is larger than ${MAX_REPLY_BYTES / 1024 / 1024} MiB`)
  }
}

interface ReplyWithText {
  /** Missing: a `fetch` that only gives the text. */
  readonly body?: ReadableStream<Uint8Array> | null
  text(): Promise<string>
}

/** @throws ReplyTooLarge once more has come than is read */
export async function replyText(reply: ReplyWithText): Promise<string> {
  if (!reply.body) return reply.text()
  const reader = reply.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > MAX_REPLY_BYTES) {
      // What is still to come is not waited for.
      reader.cancel().catch(() => undefined)
      throw new ReplyTooLarge()
    }
    text += decoder.decode(value, { stream: true })
  }
}
