import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const GoogleNotConfigured = defineProblem({
  code: 'google-not-configured',
  status: 503,
  title: 'Google is not set up here',
  meaning: 'The installation has no OAuth client of Google, or one that Google refuses. Its operator sets it up.',
});
export const GoogleUnavailable = defineProblem({
  code: 'google-unavailable',
  status: 503,
  title: 'Google does not answer',
  meaning: 'Google was asked and gave no answer in time, or none that makes sense. Try again later.',
});
export const GoogleRateLimited = defineProblem({
  code: 'google-rate-limited',
  status: 503,
  title: 'Google asks us to slow down',
  meaning: "A quota of Google's is used up. Try again after `Retry-After`; synchronisations wait by themselves.",
});
export const GoogleNotConnected = defineProblem({
  code: 'google-not-connected',
  status: 409,
  title: 'No Google account is connected',
  meaning: 'The caller has not connected a Google account with this clinic. Connect one first.',
});
export const GoogleReauthorize = defineProblem({
  code: 'google-reauthorize',
  status: 409,
  title: 'Google wants a new consent',
  meaning: 'The access was withdrawn, has expired, or does not suffice. Connect the Google account again.',
});
export const GoogleStateInvalid = defineProblem({
  code: 'google-state-invalid',
  status: 422,
  title: 'The consent cannot be taken',
  meaning:
    'The `state` is not ours, was used, is older than ten minutes, or belongs to another person, session or clinic. ' +
    'Begin again.',
});
export const GoogleConsentRefused = defineProblem({
  code: 'google-consent-refused',
  status: 422,
  title: 'The consent was not given',
  meaning: "On Google's page somebody cancelled.",
});
export const GoogleCodeRefused = defineProblem({
  code: 'google-code-refused',
  status: 422,
  title: 'Google does not take the code',
  meaning: 'The code was used, is too old, or is another one. Begin again.',
});
export const GoogleScopesMissing = defineProblem({
  code: 'google-scopes-missing',
  status: 422,
  title: 'The consent does not suffice',
  meaning: "On Google's page the boxes for reading spreadsheets and the list of files must stay ticked. Begin again.",
});
export const SpreadsheetNotReadable = defineProblem({
  code: 'spreadsheet-not-readable',
  status: 422,
  title: 'The Google account cannot read this spreadsheet',
  meaning: 'There is none of this id, or it is not shared with the connected account.',
});
export const SheetMissing = defineProblem({
  code: 'sheet-missing',
  status: 422,
  title: 'The spreadsheet has no such sheet',
  meaning: 'A sheet was renamed or removed, or its name is misspelt; `errors` or `detail` names it.',
});
export const SheetNotMapped = defineProblem({
  code: 'sheet-not-mapped',
  status: 422,
  title: 'A sheet has no mapping',
  meaning: 'Nothing was imported: each sheet of a connection needs an active mapping that names the connection and it.',
});
export const SheetHeaderChanged = defineProblem({
  code: 'sheet-header-changed',
  status: 422,
  title: 'The header of the sheet has changed',
  meaning:
    'Nothing was imported: a column that the mapping reads is gone, or there twice. Put it back, or change the mapping.',
});
export const SyncUnderWay = defineProblem({
  code: 'sync-under-way',
  status: 409,
  title: 'The spreadsheet is being synchronised',
  meaning: 'A run of this connection is queued, running or waiting for Google. Follow that one.',
});
export const SyncOver = defineProblem({
  code: 'sync-over',
  status: 409,
  title: 'The run is in another state',
  meaning: 'It has ended, or has not begun: from its present state it cannot go there.',
});
export const SyncLost = defineProblem({
  code: 'sync-lost',
  status: 500,
  title: 'The run was lost',
  meaning:
    'Its job was given up, or has not been heard of for two hours. Nothing is half imported; the next run starts anew.',
});
