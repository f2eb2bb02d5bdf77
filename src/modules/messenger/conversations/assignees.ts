import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';

/** Who may be handed a conversation. What they see of it later, the policies ask anew each time. */
@Injectable()
export class Assignees {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
  ) {}

  /**
   * Whether that person works in the conversation's clinic, or is its owner. As the service, in a transaction of its own:
   * what somebody else may do no user may ask.
   */
  async mayHold(conversationId: string, userId: string): Promise<boolean> {
    const row = await this.transactions.runAs({ service: 'assign conversations' }, () =>
      this.database.first<{ mayHold: boolean }>(askMayHold, [conversationId, userId]),
    );
    return row?.mayHold ?? false;
  }
}

const askMayHold = `
  SELECT CASE WHEN c.owner_id = $2 THEN true
              WHEN c.clinic_id IS NULL THEN false
              ELSE public.check_clinic_access($2, c.clinic_id, 'staff') END AS may_hold
    FROM public.conversations c WHERE c.id = $1`;
