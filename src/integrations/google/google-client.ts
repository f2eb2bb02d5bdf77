import type { OAuth2Client } from 'google-auth-library';
import type { Config } from '../../kernel/config/config.js';
import { GoogleFailure } from './google-failure.js';

/** A page of values of the largest width that we ask for stays far below it. */
const longestAnswerBytes = 32 * 1024 * 1024;

/** What Google's packages need to know of this installation. */
export class GoogleClient {
  constructor(private readonly config: Config['google']) {}

  get isConfigured(): boolean {
    return this.config.clientId !== undefined && this.config.clientSecret !== undefined;
  }

  get redirectUrl(): string {
    return this.config.redirectUrl;
  }

  /** What every call of an API is given. */
  get apiOptions() {
    const { baseUrl, timeoutMs } = this.config;
    return { ...(baseUrl && { rootUrl: baseUrl }), timeout: timeoutMs, size: longestAnswerBytes };
  }

  /**
   * A client for one task: with an access token it calls the APIs in its holder's name.
   *
   * Google's packages take 30 MB once they are loaded, so they are loaded by whoever needs them first.
   *
   * @throws GoogleFailure `not-configured`
   */
  async open(accessToken?: string): Promise<OAuth2Client> {
    const { clientId, clientSecret, redirectUrl, baseUrl, timeoutMs } = this.config;
    if (!clientId || !clientSecret) throw new GoogleFailure('not-configured');
    const { OAuth2Client } = await import('google-auth-library');
    const endpoints = baseUrl && {
      oauth2AuthBaseUrl: `${baseUrl}/o/oauth2/v2/auth`,
      oauth2TokenUrl: `${baseUrl}/token`,
      oauth2RevokeUrl: `${baseUrl}/revoke`,
    };
    const client = new OAuth2Client({
      ...{ clientId, clientSecret, redirectUri: redirectUrl },
      ...(endpoints && { endpoints }),
      transporterOptions: { timeout: timeoutMs, size: longestAnswerBytes },
    });
    // The library tries again by itself, several times and without knowing our limits: jobs do that, and people.
    client.transporter.interceptors.request.add({
      resolved: async (options) =>
        Object.assign(options, { retry: false, retryConfig: { retry: 0, noResponseRetries: 0 } }),
    });
    if (accessToken) client.setCredentials({ access_token: accessToken });
    return client;
  }
}
