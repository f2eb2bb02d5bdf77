import { ChoiceInvalid, SubscriptionFailed } from '../../../integrations/meta/consent.errors.js';
import {
  MetaNotConfigured,
  MetaPermissionMissing,
  MetaRateLimited,
  MetaReauthorize,
  MetaRefused,
  MetaUnavailable,
} from '../../../integrations/meta/meta.errors.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { PageAlreadyLinked } from '../messenger.errors.js';

/** What a choice can be refused with. */
export const choiceRefusals = [
  ...[NotFound, ChoiceInvalid, PageAlreadyLinked, SubscriptionFailed],
  ...[MetaNotConfigured, MetaUnavailable, MetaRateLimited],
  ...[MetaReauthorize, MetaPermissionMissing, MetaRefused],
];

/** What the settings page may be told, for the description of the routes that send the browser there. */
export const toldToBrowser =
  'The page gets `?connected=1`, `?choose=` with the id of a choice to make, or `?error=` with the code of a problem: ' +
  '`connect-state-invalid`, `connect-refused`, `connect-code-refused`, `scopes-missing`, `no-pages`, ' +
  '`no-instagram-account`, `page-already-linked`, `subscription-failed`, `meta-unavailable`, ... Never a token.';
