import { connect, createServer, type Server, type Socket } from 'node:net';

/** The way to the database, which can be cut, or go silent as when a host vanishes. */
export class Road {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  private isSilent = false;

  constructor(private readonly target: URL) {}

  async open(): Promise<void> {
    this.isSilent = false;
    this.server = createServer((socket) => {
      const onward = connect(Number(this.target.port), this.target.hostname);
      for (const each of [socket, onward]) {
        this.sockets.add(each);
        each.on('error', () => undefined);
        each.on('close', () => [socket, onward].forEach((one) => void one.destroy()));
      }
      if (!this.isSilent) socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => this.server?.listen(this.port, '127.0.0.1', resolve));
    const address = this.server.address();
    if (typeof address === 'object' && address) this.port = address.port;
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Nothing more goes through in either direction, and nobody is told; new connections get no answer. */
  silence(): void {
    this.isSilent = true;
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  leadingTo(address: string): string {
    const url = new URL(address);
    url.port = String(this.port);
    return url.href;
  }
}
