import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';

/** A whole number. */
export function count(fallback: number, { least = 1, most = 2_147_483_647 } = {}) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d+$/, { error, abort: true })
    .transform(Number)
    .pipe(z.number().min(least, error).max(most, error))
    .default(fallback);
}

export const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

/** `http(s)://host[:port][/path]`, without the slash at the end. */
export const webAddress = z
  .url({ protocol: /^https?$/, error: 'must be an address like https://clinic.example' })
  .transform((value) => value.replace(/\/+$/, ''));

export const origin = z.string().refine(isOrigin, 'must be origins like https://app.example, without a path');

/** Values separated by commas, each checked. */
export function list<Item extends z.ZodType<string, string>>(item: Item) {
  return z.string().transform(split).pipe(z.array(item)).default([]);
}

/** As Fastify's `trustProxy` wants it. `true` would believe whatever the client itself sends, so it counts as one. */
export const proxies = z
  .string()
  .regex(/^(true|false|\d+|[\d.:a-fA-F/]+(\s*,\s*[\d.:a-fA-F/]+)*)$/, 'must be false, a number, or addresses')
  .transform((value): false | number | string => {
    if (value === 'false') return false;
    if (value === 'true') return 1;
    return /^\d+$/.test(value) ? Number(value) : value;
  })
  .default(false);

/** `id:base64`, several separated by commas; the ids differ. */
export function keyRing(key: z.ZodType<Buffer, Buffer>) {
  return z.string().superRefine((value, context) => {
    const ids = new Set<string>();
    for (const [position, entry] of split(value).entries()) {
      const [, id, encoded] = /^([\w-]+):([A-Za-z0-9+/]+=*)$/.exec(entry) ?? [];
      if (!id || !encoded)
        context.addIssue(`key ${position + 1} must be an id (letters, digits, - and _), a colon and base64`);
      else if (ids.has(id)) context.addIssue(`two keys have the id '${id}'`);
      else addProblem(id, key.safeParse(Buffer.from(encoded, 'base64')), context);
      if (id) ids.add(id);
    }
    if (split(value).length === 0) context.addIssue('must hold a key');
  });
}

export const vaultKey = z.instanceof(Buffer).refine((key) => key.length === 32, 'must have 32 bytes');

export const signingKey = z.instanceof(Buffer).refine(isEd25519, 'must be an Ed25519 private key in PKCS #8 DER');

export const randomKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]+=*$/, { error: 'must be base64', abort: true })
  .refine((value) => Buffer.from(value, 'base64').length >= 32, 'must hold at least 32 bytes');

function addProblem(id: string, result: z.ZodSafeParseResult<Buffer>, context: z.RefinementCtx): void {
  if (!result.success) context.addIssue(`the key '${id}' ${result.error.issues[0]?.message}`);
}

function split(value: string): string[] {
  return value
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);
}

function isOrigin(value: string): boolean {
  return /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

function isEd25519(key: Buffer): boolean {
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' }).asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}
