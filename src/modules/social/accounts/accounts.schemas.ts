import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { accountStates } from './account-states.js';
import { platforms } from './consent-scopes.js';

export const PlatformName = z.enum(platforms);

const account = {
  id: Uuid,
  organisationId: Uuid,
  platform: PlatformName,
  accountType: z.enum(['business', 'creator', 'page']),
  platformAccountId: z.string().meta({ description: 'Of the Instagram account or the page, at Meta.' }),
  username: z.string(),
  profilePictureUrl: z.string().nullable(),
  pageId: z.string().nullable(),
  pageName: z.string().nullable(),
  status: z.enum(accountStates),
  errorMessage: z.string().nullable(),
  connectionErrorCount: z.int().meta({ description: 'Renewals that failed in a row; the third ends it as `error`.' }),
  health: z.enum(['ok', 'warning', 'error', 'unknown']),
  healthCheckedAt: Timestamp.nullable(),
  scopes: z.array(z.string()).meta({ description: 'What the person allowed, as Meta names it.' }),
  tokenExpiresAt: Timestamp.nullable().meta({ description: 'Null for an access that Meta gives no end.' }),
  dataAccessExpiresAt: Timestamp.nullable(),
  connectedBy: Uuid.nullable(),
  connectedAt: Timestamp.nullable(),
  lastTokenRefresh: Timestamp.nullable(),
  lastSyncedAt: Timestamp.nullable(),
  canPublishFeed: z.boolean(),
  canPublishStories: z.boolean(),
  canPublishReels: z.boolean(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
};

export const SocialAccount = z.object(account).meta({ id: 'SocialAccount' });
export type SocialAccount = z.input<typeof SocialAccount>;

export const SocialAccountDetail = z
  .object({
    ...account,
    capabilities: z
      .object({ canPublishFeed: z.boolean(), canPublishStories: z.boolean(), canPublishReels: z.boolean() })
      .meta({ description: 'What can be published there now: nothing while it is not active.' }),
  })
  .meta({ id: 'SocialAccountDetail' });
export type SocialAccountDetail = z.input<typeof SocialAccountDetail>;

export const SocialAccounts = pageOf(SocialAccount, 'SocialAccounts');
export type SocialAccounts = z.input<typeof SocialAccounts>;

/** `7d`: a number of days. */
const Days = z
  .string()
  .regex(/^[1-9]\d{0,2}d$/, 'is not a number of days such as 7d')
  .transform((text) => Number.parseInt(text, 10))
  .meta({ type: 'string', pattern: '^[1-9]\\d{0,2}d$' });

export const AccountsQuery = pageQuery.extend({
  status: z.enum(accountStates).optional(),
  platform: PlatformName.optional(),
  expiring: Days.optional().meta({ description: 'Those whose access ends within so many days, e.g. `7d`.' }),
});
export type AccountsQuery = z.infer<typeof AccountsQuery>;
