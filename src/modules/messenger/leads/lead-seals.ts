import { Injectable } from '@nestjs/common';
import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { SealBroken, Vault } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

const commentColumn = { table: 'public.comment_leads', column: 'comment_sealed' };
const replyColumn = { table: 'public.comment_replies', column: 'text_sealed' };
for (const column of [commentColumn, replyColumn]) declareSealedColumn(column);

interface SealedComment {
  id: string;
  sealed: string;
}

/** What people wrote, and what they are to be answered, at rest: sealed and opened here and nowhere else. */
@Injectable()
export class LeadSeals {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly vault: Vault,
  ) {}

  sealComment(leadId: string, text: string): string {
    return this.vault.seal(text, { ...commentColumn, rowId: leadId });
  }

  sealReply(replyId: string, text: string): string {
    return this.vault.seal(text, { ...replyColumn, rowId: replyId });
  }

  /** @throws SealBroken */
  openReply(replyId: string, sealed: string): string {
    return this.vault.open(sealed, { ...replyColumn, rowId: replyId });
  }

  /**
   * The comments of leads that the caller has been shown. It has a transaction of its own, as the service: whoever calls
   * it holds none. One that does not open is missing.
   */
  async openComments(leadIds: readonly string[]): Promise<Map<string, string>> {
    if (leadIds.length === 0) return new Map();
    const rows = await this.transactions.runAs({ service: 'open messages' }, () =>
      this.database.query<SealedComment>(readComments, [leadIds]),
    );
    return new Map(rows.flatMap((row) => this.opened(row)));
  }

  private opened({ id, sealed }: SealedComment): [string, string][] {
    try {
      return [[id, this.vault.open(sealed, { ...commentColumn, rowId: id })]];
    } catch (error) {
      if (error instanceof SealBroken) return [];
      throw error;
    }
  }
}

const readComments = `
  SELECT id, comment_sealed AS sealed FROM public.comment_leads
   WHERE id = ANY ($1::uuid[]) AND comment_sealed IS NOT NULL`;
