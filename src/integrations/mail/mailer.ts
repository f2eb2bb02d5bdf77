import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport, type Transporter } from 'nodemailer';
import { uuidv7 } from 'uuidv7';

export interface Mail {
  to: string;
  subject: string;
  /** Plain text: all that matters is in it, whatever else the mail holds. */
  text: string;
  /** The same for people whose program shows HTML. */
  html?: string;
  attachments?: readonly Attachment[];
  /** The same for each attempt at one mail, so that a receiver can tell a second copy. */
  id?: string;
}

export interface Attachment {
  fileName: string;
  contentType: string;
  content: Buffer;
}

interface MailerOptions {
  /** Without a server, mails are written to `outboxDir` as .eml files. */
  smtpUrl: string | undefined;
  from: string;
  outboxDir: string;
}

const timeouts = { connectionTimeout: 5_000, greetingTimeout: 5_000, socketTimeout: 15_000 };

/** Sends mail over SMTP, or leaves it where a developer finds it. Rejects when the server does not take it. */
export class Mailer {
  private readonly transport: Transporter;
  private readonly domain: string;

  constructor(private readonly options: MailerOptions) {
    this.domain = /@([\w.-]+)/.exec(options.from)?.[1] ?? 'localhost';
    this.transport = options.smtpUrl
      ? createTransport({ url: options.smtpUrl, ...timeouts })
      : createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  }

  async send({ to, subject, text, html, attachments = [], id }: Mail): Promise<void> {
    const sent = await this.transport.sendMail({
      ...{ from: this.options.from, to, subject, text, html },
      attachments: attachments.map(({ fileName, contentType, content }) => ({
        filename: fileName,
        contentType,
        content,
      })),
      ...(id && { messageId: `<${id}@${this.domain}>` }),
    });
    if (!this.options.smtpUrl) await this.keep(sent.message as Buffer);
  }

  close(): void {
    this.transport.close();
  }

  /** Written aside and renamed, so that whoever watches the folder never reads half a mail. Names sort by time. */
  private async keep(message: Buffer): Promise<void> {
    await mkdir(this.options.outboxDir, { recursive: true, mode: 0o700 });
    const file = join(this.options.outboxDir, `${uuidv7()}.eml`);
    await writeFile(`${file}.part`, message, { mode: 0o600 });
    await rename(`${file}.part`, file);
  }
}
