import type { Answer } from './service.js';

/** The statuses of as many calls, one after the other. */
export async function statuses(count: number, call: () => Promise<Answer>): Promise<number[]> {
  const answers: number[] = [];
  for (let index = 0; index < count; index += 1) answers.push((await call()).status);
  return answers;
}

/** It says which limit is used up and when to come back, in words that a client library knows. */
export function expectRefusal(answer: Answer, policy: string, limit: number): void {
  expect([answer.status, answer.body.code]).toEqual([429, 'too-many-requests']);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const retryAfter = Number(answer.headers.get('retry-after'));
  expect(retryAfter).toBeGreaterThanOrEqual(1);
  expect(retryAfter).toBeLessThanOrEqual(60);
  expect(answer.headers.get('ratelimit-policy')).toBe(`"${policy}";q=${limit};w=60`);
  expect(answer.headers.get('ratelimit')).toBe(`"${policy}";r=0;t=${retryAfter}`);
}
