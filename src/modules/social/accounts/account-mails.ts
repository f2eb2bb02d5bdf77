import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Mailer } from '../../../integrations/mail/mailer.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { JobHandler } from '../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { lapseMailJob } from './account-lapses.js';

const LapseMail = z.object({ accountId: z.uuid(), userId: z.uuid() });

interface Lapse {
  email: string;
  organisation: string;
  organisationId: string;
  platform: 'instagram' | 'facebook';
  username: string;
  waiting: number;
}

const platformNames = { instagram: 'Instagram account', facebook: 'Facebook page' };

/** Tells the owners of an organisation that nothing is published any more until they connect an account again. */
@Injectable()
export class AccountMails {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly mailer: Mailer,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Not sent any more once somebody has mended it. */
  @JobHandler(lapseMailJob, { payload: LapseMail, maxAttempts: 12 })
  async send({ accountId, userId }: z.infer<typeof LapseMail>): Promise<void> {
    const lapse = await this.transactions.runAs({ service: 'send mail' }, () =>
      this.database.first<Lapse>(findLapse, [accountId, userId]),
    );
    if (!lapse) return;
    const { email, platform, username } = lapse;
    const subject = `Please connect ${username} again`;
    await this.mailer.send({ to: email, subject, text: this.text(platformNames[platform], lapse) });
  }

  private text(kind: string, { username, organisation, organisationId, waiting }: Lapse): string {
    const posts = waiting === 1 ? 'One post waits' : `${waiting} posts wait`;
    return [
      `Meta does not let us publish on the ${kind} ${username} of ${organisation} any more: the access was withdrawn, has expired, or could not be renewed.`,
      waiting > 0 ? `${posts} for it, and will be published as soon as the account is connected again.` : '',
      `Connect it again: ${this.config.appUrl}/organisations/${organisationId}/social/accounts`,
    ]
      .filter(Boolean)
      .join('\n\n')
      .concat('\n');
  }
}

/** Of the posts in a worker's hands, one of which met the dead token, those will wait of which nothing was sent. */
const findLapse = `
  SELECT p.email, o.name AS organisation, o.id AS organisation_id, a.platform, a.username,
         (SELECT count(*)::int FROM public.social_media_posts w
           WHERE w.social_account_id = a.id
             AND (w.status = 'queued' OR w.status = 'processing' AND w.publish_started_at IS NULL)) AS waiting
    FROM public.social_media_accounts a
    JOIN public.organisations o ON o.id = a.organisation_id
    JOIN public.organisation_members m ON m.organisation_id = o.id AND m.user_id = $2 AND m.role = 'owner'
    JOIN public.profiles p ON p.id = m.user_id
   WHERE a.id = $1 AND a.status IN ('expired', 'error') AND p.email IS NOT NULL`;
