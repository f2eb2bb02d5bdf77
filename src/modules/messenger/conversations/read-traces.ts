import { Injectable } from '@nestjs/common';
import { Database } from '../../../kernel/tenancy/database.js';

/** What a trace of a conversation names. */
export interface ReadConversation {
  id: string;
  ownerId: string;
  clinicId: string | null;
}

/** Who read somebody else's conversations: the owner leaves no trace, a colleague one for each that they were shown. */
@Injectable()
export class ReadTraces {
  constructor(private readonly database: Database) {}

  /** In the caller's transaction, which must be able to write (`recordsReads`). */
  async leave(conversations: readonly ReadConversation[], readerId: string): Promise<void> {
    const others = conversations.filter(({ ownerId }) => ownerId !== readerId);
    if (others.length === 0) return;
    await this.database.query(recordReads, [
      others.map(({ id }) => id),
      others.map(({ ownerId }) => ownerId),
      others.map(({ clinicId }) => clinicId),
    ]);
  }
}

/** All at once: a page of conversations would be as many round trips. */
const recordReads = `
  SELECT audit.read('public.conversations', c.id::text, c.owner_id, NULL, c.clinic_id)
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS c (id, owner_id, clinic_id)`;
