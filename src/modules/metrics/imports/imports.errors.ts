import { defineProblem } from '../../../kernel/errors/domain-error.js';

export const MappingRefused = defineProblem({
  code: 'mapping-refused',
  status: 422,
  title: 'The mapping does not fit the table',
  meaning:
    'It names a field that the table has not, one field or column twice, or leaves out a required field; `errors` names each.',
});
export const ImportNotPossible = defineProblem({
  code: 'import-state',
  status: 409,
  title: 'The import is not in the state for this',
  meaning: 'Only an import that waits can be cancelled, and only one that is done, within 30 days, can be undone.',
});
export const ChangedSince = defineProblem({
  code: 'changed-since-import',
  status: 409,
  title: 'Rows of the import were changed since',
  meaning: 'Somebody has changed or deleted rows after the import; `detail` says how many. Nothing was undone.',
});
export const UnreadableFile = defineProblem({
  code: 'unreadable-file',
  status: 422,
  title: 'The file cannot be read',
  meaning: 'It is broken, or is not of the format that was said; `detail` names line and column. Nothing was written.',
});
export const TooManyRows = defineProblem({
  code: 'too-many-rows',
  status: 413,
  title: 'Too many rows at once',
  meaning: 'The route takes at most 5,000 rows. Send them in parts, or as a file.',
});
export const ColumnsMissing = defineProblem({
  code: 'columns-missing',
  status: 422,
  title: 'The file has other columns than the mapping',
  meaning:
    'The header lacks columns of the mapping, or has one of them twice; `detail` names them. Nothing was written.',
});
export const NothingImported = defineProblem({
  code: 'nothing-imported',
  status: 422,
  title: 'No row could be imported',
  meaning: 'There were no rows, or every one was refused, or one of a strict import was: the errors tell why.',
});
