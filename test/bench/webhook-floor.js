import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import pg from 'pg';

/** The floor of the webhook: bare Fastify that checks the HMAC, reads the JSON and does the one INSERT, unsealed, as a superuser. */
const { URL: url, SECRET: secret } = process.env;
const pool = new pg.Pool({ connectionString: url, max: 10 });

const insert = `
  INSERT INTO public.webhook_events (object, page_id, lane, event_key, payload_sealed)
  SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[]) ON CONFLICT (event_key) DO NOTHING`;
const name = createHash('sha256').update(insert).digest('hex').slice(0, 24);

const server = Fastify({ bodyLimit: 1024 * 1024 });
server.removeAllContentTypeParsers();
server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
server.post('/webhooks/meta', async ({ headers, body }, reply) => {
  const given = Buffer.from(headers['x-hub-signature-256'].slice(7), 'hex');
  if (!timingSafeEqual(createHmac('sha256', secret).update(body).digest(), given)) return reply.status(401).send();
  const { object, entry } = JSON.parse(body.toString('utf8'));
  const events = entry.flatMap(({ id, messaging }) => messaging.map((event) => ({ id, event })));
  const column = (pick) => events.map(pick);
  await pool.query({
    name,
    text: insert,
    values: [
      column(() => object),
      column(({ id }) => id),
      column(({ event }) => Number(event.sender.id) % 2 ** 31),
      column(({ event }) => hash('sha256', event.message.mid, 'base64url')),
      column(({ event }) => JSON.stringify(event)),
    ],
  });
  return 'EVENT_RECEIVED';
});
await server.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write(`ready http://127.0.0.1:${server.server.address().port}\n`);
