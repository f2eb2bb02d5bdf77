import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  to: string;
  subject: string;
  text: string;
  html: string;
  attachments: { fileName: string; contentType: string; content: Buffer }[];
  /** The same for two copies of one mail. */
  messageId: string;
  /** The one-time token that the mail shows alone on a line. */
  token: string | undefined;
}

/** A real SMTP server on a free port that can be told to misbehave. */
export interface Mailbox {
  smtpUrl: string;
  mails: ReceivedMail[];
  /** The next mail to an address that is not taken yet; waits for it. */
  next(to: string): Promise<ReceivedMail>;
  /** `refusing` answers 451 to every mail. */
  refusing: boolean;
  /** `hanging` takes every mail and never says so. */
  hanging: boolean;
  /** How many mails came while it hung. */
  hung: number;
  stop(): Promise<void>;
}

const patienceMs = 15_000;

export async function openMailbox(): Promise<Mailbox> {
  const mails: ReceivedMail[] = [];
  const taken = new Set<ReceivedMail>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (mailbox.refusing) return done(Object.assign(new Error('try later'), { responseCode: 451 }));
        if (mailbox.hanging) {
          mailbox.hung += 1;
          return;
        }
        const [recipient] = session.envelope.rcptTo;
        read(Buffer.concat(chunks), recipient?.address ?? '').then((mail) => {
          mails.push(mail);
          done();
        }, done);
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const mailbox: Mailbox = {
    smtpUrl: `smtp://127.0.0.1:${port}`,
    mails,
    refusing: false,
    hanging: false,
    hung: 0,
    async next(to) {
      const deadline = Date.now() + patienceMs;
      while (Date.now() < deadline) {
        const mail = mails.find((each) => each.to === to && !taken.has(each));
        if (mail) {
          taken.add(mail);
          return mail;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`No mail came for ${to}.`);
    },
    stop: () => new Promise<void>((resolve) => server.close(resolve)),
  };
  return mailbox;
}

async function read(source: Buffer, to: string): Promise<ReceivedMail> {
  const { subject = '', text = '', html = '', messageId = '', attachments: parts } = await PostalMime.parse(source);
  const attachments = parts.map(({ filename, mimeType, content }) => ({
    fileName: filename ?? '',
    contentType: mimeType,
    content: Buffer.from(content as ArrayBuffer),
  }));
  return { to, subject, text, html, attachments, messageId, token: text.match(/token alone: (\S+)/)?.[1] };
}
