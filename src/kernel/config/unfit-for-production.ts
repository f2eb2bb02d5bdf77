import type { Variables } from './variables.js';

const howToMakeKeys = 'docs/configuration.md says how to make it';

/** What production must not run on, one sentence each that says how to mend it. */
export function unfitForProduction(v: Variables): string[] {
  const problems: Record<string, boolean> = {
    "DATABASE_URL is missing: production does not run on the embedded database. Set it to the API's login on your server.":
      !v.DATABASE_URL,
    [`JWT_KEYS is missing: production does not run on generated secrets; ${howToMakeKeys}.`]: !v.JWT_KEYS,
    [`VAULT_KEYS is missing: production does not run on generated secrets; ${howToMakeKeys}.`]: !v.VAULT_KEYS,
    [`APP_KEY is missing: production does not run on generated secrets; ${howToMakeKeys}.`]: !v.APP_KEY,
    'DEMO is true: production must not hold demo users, whose passwords are known. Unset it.': v.DEMO === true,
    'MEDIA_ALLOW_PRIVATE is true: production must not be led to addresses inside its own network. Unset it.':
      v.MEDIA_ALLOW_PRIVATE,
    'SMTP_URL is missing: production must be able to send mail. Set it to your mail server.': !v.SMTP_URL,
    'PUBLIC_URL is missing: links and tokens name it. Set it to the address at which clients reach the API.':
      !v.PUBLIC_URL,
  };
  return Object.keys(problems).filter((problem) => problems[problem]);
}
