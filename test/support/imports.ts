import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Service } from './service.js';

export interface Upload {
  /** The fields of the form; objects are sent as JSON. */
  fields: Record<string, unknown>;
  content: string | Uint8Array;
  fileName?: string;
}

/** A file and what to do with it, as a browser's form sends them. */
export function formOf({ fields, content, fileName = 'export.csv' }: Upload): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields))
    form.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  form.set('file', new Blob([content as BlobPart]), fileName);
  return form;
}

export function upload(service: Service, path: string, token: string | undefined, parts: Upload): Promise<Answer> {
  return service.call('POST', path, { ...(token && { token }), body: formOf(parts) });
}

const patienceMs = 30_000;

/** Waits until an import is over, or is undone, as a client does who follows it. */
export async function followed(service: Service, token: string, answer: Answer): Promise<Answer['body']> {
  if (answer.status !== 202) throw new Error(`The import was not taken: ${answer.text}`);
  const path = String(answer.headers.get('location')).replace('/api/v1', '');
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const { body } = await service.call('GET', path, { token });
    if (!['receiving', 'queued', 'running', 'undoing'].includes(body.status)) return body;
    await pause(25);
  }
  throw new Error(`The import at ${path} does not end.`);
}
