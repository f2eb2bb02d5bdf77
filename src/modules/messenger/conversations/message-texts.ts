import { Injectable } from '@nestjs/common';
import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { SealBroken, Vault } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

const textColumn = { table: 'public.messages', column: 'text_sealed' };
const attachmentsColumn = { table: 'public.messages', column: 'attachments_sealed' };
for (const column of [textColumn, attachmentsColumn]) declareSealedColumn(column);

/** What hangs on a message. Meta knows more kinds than one can send, and names new ones as it likes. */
export interface Attachment {
  /** `image`, `video`, `audio`, `file`, `share`, `story_mention`, ... */
  type: string;
  /** At Meta, for some days; null where it gives none. */
  url: string | null;
}

/** What a message says. */
export interface MessageContent {
  text: string | null;
  attachments: Attachment[];
  /** False where it rests under a key that is lost: the message stands, what it said does not come back. */
  isReadable: boolean;
}

/** What rests of a message. */
export interface SealedContent {
  id: string;
  textSealed: string | null;
  attachmentsSealed: string | null;
}

/** What messages say, at rest: sealed and opened here and nowhere else, bound to the row that it belongs to. */
@Injectable()
export class MessageTexts {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly vault: Vault,
  ) {}

  seal(messageId: string, text: string): string {
    return this.vault.seal(text, { ...textColumn, rowId: messageId });
  }

  sealAttachments(messageId: string, attachments: readonly Attachment[]): string {
    return this.vault.seal(JSON.stringify(attachments), { ...attachmentsColumn, rowId: messageId });
  }

  /**
   * Opens messages of which the caller has been shown that they may see them. It has a transaction of its own, as the
   * service: whoever calls it holds none (`Database.separately`), or two connections are held at once.
   */
  async open(ids: readonly string[]): Promise<Map<string, MessageContent>> {
    if (ids.length === 0) return new Map();
    const rows = await this.transactions.runAs({ service: 'open messages' }, () =>
      this.database.query<SealedContent>(readSealed, [ids]),
    );
    return new Map(rows.map((row) => [row.id, this.openRow(row)]));
  }

  /** The same for a row that the service has read in a transaction of its own. */
  openRow({ id, textSealed, attachmentsSealed }: SealedContent): MessageContent {
    try {
      const text = textSealed && this.vault.open(textSealed, { ...textColumn, rowId: id });
      const list = attachmentsSealed && this.vault.open(attachmentsSealed, { ...attachmentsColumn, rowId: id });
      return { text, attachments: list ? (JSON.parse(list) as Attachment[]) : [], isReadable: true };
    } catch (error) {
      if (error instanceof SealBroken) return { text: null, attachments: [], isReadable: false };
      throw error;
    }
  }
}

const readSealed = `
  SELECT id, text_sealed, attachments_sealed FROM public.messages WHERE id = ANY ($1::uuid[])`;
