import { defineProblem } from '../../kernel/errors/domain-error.js';

/* What goes wrong between Meta's dialog and a connected page or account, whatever it is connected for. */

export const ConnectStateInvalid = defineProblem({
  code: 'connect-state-invalid',
  status: 422,
  title: 'The consent cannot be taken',
  meaning:
    'The `state` is not ours, was used, is older than ten minutes, or belongs to another person, session, browser or ' +
    'organisation. Begin again.',
});
export const ConnectRefused = defineProblem({
  code: 'connect-refused',
  status: 422,
  title: 'The consent was not given',
  meaning: "On Meta's page somebody cancelled.",
});
export const ConnectCodeRefused = defineProblem({
  code: 'connect-code-refused',
  status: 422,
  title: 'Meta does not take the code',
  meaning: 'The code was used, is too old, or is another one. Begin again.',
});
export const ScopesMissing = defineProblem({
  code: 'scopes-missing',
  status: 422,
  title: 'The consent does not suffice',
  meaning:
    "Without the permissions that `detail` names nothing can be connected. Begin again, and leave Meta's boxes ticked.",
});
export const NoPages = defineProblem({
  code: 'no-pages',
  status: 422,
  title: 'There is no page to connect',
  meaning:
    'The person manages no Facebook page, did not choose one in the dialog, or may not do there what it is connected for. Ask an ' +
    'administrator of the page for full control of it, then begin again and choose it.',
});
export const NoInstagramAccount = defineProblem({
  code: 'no-instagram-account',
  status: 422,
  title: 'There is no Instagram account to connect',
  meaning:
    'None of the chosen pages has an Instagram account. Make it a professional one in the app of Instagram, link it ' +
    'with the Facebook page, then begin again.',
});
export const ChoiceInvalid = defineProblem({
  code: 'choice-invalid',
  status: 422,
  title: 'This cannot be chosen',
  meaning: '`errors` names what is not among the candidates, or cannot be connected, or is not there any more.',
});
export const SubscriptionFailed = defineProblem({
  code: 'subscription-failed',
  status: 502,
  title: 'Meta does not tell us of messages',
  meaning:
    'Meta took the consent and did not subscribe us to what is written to the page, so nothing was connected. Begin ' +
    'again; if it stays so, the person may not manage the page.',
});
