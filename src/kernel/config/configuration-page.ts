import type { z } from 'zod';
import { isSecret, sections } from './variables.js';

const introduction = `# Configuration

Written from \`src/kernel/config/variables.ts\` by \`npm run docs\`. Everything is set by environment variables; an empty
one counts as not set. A wrong value stops the start with a list of everything that is wrong; a secret is never printed.

Outside production, secrets that are missing are made once and kept in \`DATA_DIR/secrets.json\`, readable by its owner
only. With \`NODE_ENV=production\` all of \`DATABASE_URL\`, \`PUBLIC_URL\`, \`SMTP_URL\`, \`JWT_KEYS\`, \`VAULT_KEYS\` and
\`APP_KEY\` must be set, and neither \`DEMO\` nor a database login that is a superuser, has BYPASSRLS or belongs to the
owner is accepted.
`;

const howToMakeSecrets = `## Making secrets

\`\`\`sh
# JWT_KEYS
node -e "console.log('2026-01:' + crypto.generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'))"
# VAULT_KEYS
node -e "console.log('2026-01:' + crypto.randomBytes(32).toString('base64'))"
# APP_KEY
node -e "console.log(crypto.randomBytes(32).toString('base64'))"
\`\`\`

To rotate a ring, put the new key in front and keep the old one behind it: access tokens for \`ACCESS_TOKEN_TTL_SECONDS\`,
the vault until \`node dist/src/cli.js secrets:rotate\` has sealed everything anew.
`;

/** docs/configuration.md: every variable with its default and meaning. */
export function configurationPage(): string {
  const tables = Object.entries(sections).map(([title, { shape }]) => section(title, shape));
  return [introduction, ...tables, howToMakeSecrets].join('\n');
}

function section(title: string, shape: Readonly<Record<string, z.ZodType>>): string {
  const rows = Object.entries(shape).map(([name, schema]) => {
    const mark = isSecret(schema) ? ' (secret)' : '';
    return `| \`${name}\`${mark} | ${defaultOf(schema)} | ${schema.description} |`;
  });
  return [`## ${title}`, '', '| variable | default | meaning |', '| --- | --- | --- |', ...rows, ''].join('\n');
}

function defaultOf(schema: z.ZodType): string {
  const value = schema.parse(undefined);
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  return `\`${String(value)}\``;
}
