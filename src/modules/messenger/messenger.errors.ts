import { defineProblem } from '../../kernel/errors/domain-error.js';

/* What several of the module's nouns refuse with. */

export const PageAlreadyLinked = defineProblem({
  code: 'page-already-linked',
  status: 409,
  title: 'Connected elsewhere',
  meaning:
    'Somebody else answers at this page or account, or at the page that the account is linked with. It can be ' +
    'connected once they have let go of it.',
});
export const NotConnected = defineProblem({
  code: 'not-connected',
  status: 409,
  title: 'Not connected',
  meaning: 'Nobody is connected to this page or account any more. Connect it again; its conversations are kept.',
});

/* The webhook */

export const WebhookSignatureRefused = defineProblem({
  code: 'webhook-signature-refused',
  status: 401,
  title: 'Not signed by Meta',
  meaning: '`X-Hub-Signature-256` is missing, or is not that of this body with the secret of our app. Nothing is kept.',
});
export const WebhookTokenRefused = defineProblem({
  code: 'webhook-token-refused',
  status: 403,
  title: 'Not the verify token',
  meaning: "What was entered in the app's dashboard is not `META_WEBHOOK_VERIFY_TOKEN`.",
});
export const WebhookEventNotFailed = defineProblem({
  code: 'webhook-event-not-failed',
  status: 409,
  title: 'The event was not given up',
  meaning:
    'Only an event that was given up can be processed again; this one waits, is done with, or belongs to nobody.',
});
export const WebhookNotConfigured = defineProblem({
  code: 'webhook-not-configured',
  status: 503,
  title: 'The webhook is not set up',
  meaning: 'The installation has no `META_WEBHOOK_VERIFY_TOKEN`.',
});
