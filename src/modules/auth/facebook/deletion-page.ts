import { Readable } from 'node:stream';
import type { StreamedAnswer } from '../../../kernel/http/answer.js';
import type { DataDeletion } from './facebook.schemas.js';

export const pageTypes = ['text/html; charset=utf-8', 'application/json; charset=utf-8'] as const;

const sentences: Record<DataDeletion['state'], string> = {
  unknown: 'We do not know this confirmation code. Please compare it with the one that Facebook shows.',
  pending: 'We have received your request, and are removing what we hold from Facebook about you.',
  done: 'What we held from Facebook about you has been removed.',
};

/** How far a deletion is: a page for the person whom Facebook sends here, the same as JSON for everybody else. */
export function deletionAnswer(deletion: DataDeletion, accept: string | undefined): StreamedAnswer {
  const [page, data] = pageTypes;
  const wantsPage = /\btext\/html\b/i.test(accept ?? '');
  const text = wantsPage ? pageOf(deletion) : JSON.stringify(deletion);
  return { stream: Readable.from([Buffer.from(text)]), contentType: wantsPage ? page : data };
}

/** Nothing in it comes from outside, and it loads nothing. */
function pageOf({ state, receivedAt, finishedAt }: DataDeletion): string {
  const times = [
    receivedAt && `<p>Received: ${dayOf(receivedAt)}</p>`,
    finishedAt && `<p>Removed: ${dayOf(finishedAt)}</p>`,
  ];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Your data from Facebook</title></head>
<body><h1>Your data from Facebook</h1><p id="state" data-state="${state}">${sentences[state]}</p>${times.filter(Boolean).join('')}</body>
</html>
`;
}

const dayOf = (time: unknown): string => `${new Date(String(time)).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
