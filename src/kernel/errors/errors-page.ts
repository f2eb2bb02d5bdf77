import { problems } from './domain-error.js';

/** docs/errors.md and `/api/errors`: every problem that the API can answer with, by status. */
export function errorsPage(): string {
  const definitions = [...problems.values()].map(({ definition }) => definition);
  const statuses = [...new Set(definitions.map(({ status }) => status))].sort((one, other) => one - other);
  const sections = statuses.map((status) => {
    const rows = definitions
      .filter((definition) => definition.status === status)
      .sort((one, other) => one.code.localeCompare(other.code))
      .map(({ code, title, meaning }) => `| <a id="${code}"></a>\`${code}\` | ${title} | ${meaning} |`);
    return [`## ${status}`, '', '| code | title | when, and what to do |', '| --- | --- | --- |', ...rows, ''].join(
      '\n',
    );
  });
  return [
    '# Errors',
    '',
    'Written from the code by `npm run docs`. Every refusal is a problem document (RFC 9457, `application/problem+json`);',
    'branch on its `code`, which does not change.',
    '',
    ...sections,
  ].join('\n');
}
