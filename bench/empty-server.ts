import Fastify from 'fastify'

/** The limit that every HTTP figure is measured beside: a Fastify that does nothing but answer 204. */
const app = Fastify()
app.get('/', (_, reply) => {
  reply.code(204).send()
})
const url = await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${JSON.stringify({ url, msg: 'listening' })}\n`)
