import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SignedRequests } from '../../../integrations/meta/signed-requests.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { Jobs } from '../../../kernel/jobs/jobs.js';
import { deriveKey } from '../../../kernel/secrets/key-ring.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { SignedRequestRefused } from '../auth.errors.js';
import { sha256 } from '../refresh-tokens.js';
import type { DataDeletion, DataDeletionReceived } from './facebook.schemas.js';

export type CallbackKind = 'deauthorize' | 'data-deletion';

/** What Meta calls us about: checked and noted here, done by a job (`MetaCallbackJobs`). */
@Injectable()
export class MetaCallbacksService {
  private readonly key: Buffer;

  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly signedRequests: SignedRequests,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.key = deriveKey(config.secrets.appKey, 'meta callbacks');
  }

  /** @throws SignedRequestRefused */
  async deauthorize(signedRequest: string): Promise<void> {
    await this.receive('deauthorize', signedRequest);
  }

  /** Answers as Meta's data deletion callback asks: where the person sees how far it is. @throws SignedRequestRefused */
  async requestDeletion(signedRequest: string): Promise<DataDeletionReceived> {
    const code = await this.receive('data-deletion', signedRequest);
    return { url: `${this.config.publicUrl}/api/v1/auth/facebook/data-deletion/${code}`, confirmation_code: code };
  }

  async deletion(confirmationCode: string): Promise<DataDeletion> {
    const found = await this.database.first<{ receivedAt: Date; finishedAt: Date | null }>(
      'SELECT * FROM auth.meta_callback_state($1)',
      [sha256(confirmationCode)],
    );
    if (!found) return { state: 'unknown', receivedAt: null, finishedAt: null };
    return { state: found.finishedAt ? 'done' : 'pending', ...found };
  }

  /**
   * The code is made of what the request says, so that the same one again, by Meta or by whoever has seen it, gets the same answer
   * and does nothing more: a person who has come back since is not sent away by it.
   */
  private async receive(kind: CallbackKind, signedRequest: string): Promise<string> {
    const opened = this.signedRequests.open(signedRequest);
    if (!opened) throw new SignedRequestRefused();
    const { userId, issuedAt } = opened;
    const code = createHmac('sha256', this.key).update(`${kind} ${userId} ${issuedAt.getTime()}`).digest('base64url');
    const row = await this.database.first<{ id: string | null }>(receiveCallback, [kind, sha256(code), userId]);
    if (row?.id) await this.jobs.enqueue(jobOf[kind], { callbackId: row.id });
    return code;
  }
}

const jobOf: Record<CallbackKind, string> = {
  deauthorize: 'auth.hear-deauthorization',
  'data-deletion': 'auth.forget-meta-user',
};

const receiveCallback = 'SELECT auth.receive_meta_callback($1, $2, $3) AS id';
