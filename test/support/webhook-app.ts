import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export const verifyToken = 'verify-me';

interface Received {
  body: Buffer;
  signature: string | undefined;
}

/** The app's callback, as an app writes it that knows its verify token and answers what it is told to. */
export class WebhookApp {
  readonly received: Received[] = [];
  answers: number[] = [];
  private constructor(private readonly server: Server) {}

  static async start(): Promise<WebhookApp> {
    const server = createServer();
    const app = new WebhookApp(server);
    server.on('request', async (request, response) => {
      const asked = new URL(request.url ?? '/', 'http://app').searchParams;
      if (request.method === 'GET') {
        const isOurs = asked.get('hub.mode') === 'subscribe' && asked.get('hub.verify_token') === verifyToken;
        return response.writeHead(isOurs ? 200 : 403).end(isOurs ? asked.get('hub.challenge') : 'no');
      }
      const signature = request.headers['x-hub-signature-256'] as string | undefined;
      app.received.push({ body: await buffer(request), signature });
      return response.writeHead(app.answers.shift() ?? 200).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return app;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/webhooks/meta`;
  }

  /** What was told, entry by entry. */
  // biome-ignore lint/suspicious/noExplicitAny: a delivery is looked into freely, as an app would
  get entries(): any[] {
    return this.received.flatMap(({ body }) => JSON.parse(body.toString()).entry);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  get events(): any[] {
    return this.entries.flatMap(({ messaging = [], standby = [], changes = [] }) => [
      ...messaging,
      ...standby,
      ...changes,
    ]);
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
