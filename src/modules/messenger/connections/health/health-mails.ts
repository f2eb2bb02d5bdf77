import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Mailer } from '../../../../integrations/mail/mailer.js';
import { CONFIG, type Config } from '../../../../kernel/config/config.js';
import { JobHandler } from '../../../../kernel/jobs/job-handler.decorator.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import { Transactions } from '../../../../kernel/tenancy/transactions.js';
import { healthMailJob } from './health-records.js';
import { type HealthFacts, sayingOf, stateOf } from './health-state.js';

const HealthMail = z.object({ channel: z.enum(['messenger', 'instagram']), ownerId: z.uuid(), id: z.uuid() });
type Channel = z.infer<typeof HealthMail>['channel'];

interface Subject extends HealthFacts {
  email: string;
  name: string;
}

const kinds = { messenger: 'Facebook page', instagram: 'Instagram account' };

/** Tells an owner that patients' messages are in danger, or do not come through any more. */
@Injectable()
export class HealthMails {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly mailer: Mailer,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Not sent any more once somebody has mended it. */
  @JobHandler(healthMailJob, { payload: HealthMail, maxAttempts: 12 })
  async send({ channel, id }: z.infer<typeof HealthMail>): Promise<void> {
    const about = await this.transactions.runAs({ service: 'send mail' }, () =>
      this.database.first<Subject>(statements[channel], [id]),
    );
    if (!about) return;
    const { level, code } = stateOf(about, new Date());
    if (level !== 'error' && level !== 'warning') return;
    const name = `${kinds[channel]} ${about.name}`;
    await this.mailer.send({
      to: about.email,
      subject: level === 'error' ? `Messages to ${about.name} do not work any more` : `Please look after ${about.name}`,
      text: `About the ${name}: ${sayingOf(code)}\n\n${this.addressOf(channel)}\n`,
    });
  }

  private addressOf(channel: Channel): string {
    const { messengerSettingsUrl, doctorSettingsUrl } = this.config.meta;
    return channel === 'messenger' ? messengerSettingsUrl : doctorSettingsUrl;
  }
}

const statements: Record<Channel, string> = {
  messenger: `
    SELECT p.email, c.page_name AS name, c.is_active, c.health_level AS level, c.health_error_code AS error_code,
           c.health_checked_at AS checked_at, c.token_expires_at, c.last_dm_success_at, c.connected_at
      FROM public.messenger_connections c JOIN public.profiles p ON p.id = c.owner_id
     WHERE c.id = $1 AND c.is_active AND p.email IS NOT NULL`,
  instagram: `
    SELECT p.email, d.instagram_username AS name, true AS is_active, d.instagram_health_level AS level,
           d.instagram_health_error_code AS error_code, d.instagram_health_checked_at AS checked_at,
           d.instagram_token_expires_at AS token_expires_at, d.instagram_last_dm_success_at AS last_dm_success_at,
           d.connected_at
      FROM public.doctor_instagram d JOIN public.profiles p ON p.id = d.doctor_id
     WHERE d.doctor_id = $1 AND p.email IS NOT NULL`,
};
