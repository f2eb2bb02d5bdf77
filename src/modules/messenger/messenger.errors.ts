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
