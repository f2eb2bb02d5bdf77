import { Injectable } from '@nestjs/common';
import type { Connected } from '../connections/connected-pages.js';

export interface IncomingComment {
  connected: Connected;
  /** Meta's own JSON of one change. */
  change: unknown;
  /** When Meta delivered it; now unless given. */
  at?: Date;
}

/** Comments that Meta tells of: who wants an appointment becomes a lead. */
@Injectable()
export class CommentEvents {
  /** Runs in the transaction of the batch, as the service. What is no comment, or ours, is passed over. */
  async handle(comments: readonly IncomingComment[]): Promise<void> {
    if (comments.length > 0) throw new Error('Leads are not kept yet.');
  }
}
