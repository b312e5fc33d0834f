// A replica as a process of its own: submits the same rounds as all others, to the facades in turn, and prints what it
// was answered as one line of JSON: how often it was first, and the round's worker and start of each round.
const [system = '', count = '0', ...urls] = process.argv.slice(2)

async function submit(n: number): Promise<{ isFirst: boolean; submittedAt: string }> {
  const url = urls[n % urls.length]
  const reply = await fetch(`${url}/api/v1/submit/${system}/round-${n}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker: 'probe', data: null }),
  })
  const { job } = (await reply.json()) as { job: { submittedAt: string } }
  return { isFirst: reply.status === 202, submittedAt: job.submittedAt }
}

const answers = new Map<number, { isFirst: boolean; submittedAt: string }>()
let next = 0
await Promise.all(
  Array.from({ length: 8 }, async () => {
    while (next < Number(count)) {
      const n = next++
      answers.set(n, await submit(n))
    }
  }),
)
process.stdout.write(
  `${JSON.stringify([...answers].sort(([a], [b]) => a - b).map(([, answer]) => answer))}\n`,
)
